"""Messages and handlers made of descriptors, since the suites' protos are read at run time and no code is generated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def load(descriptors: Path, package: str) -> None:
    """Adds a package of a serialized FileDescriptorSet to the default pool, where a gateway looks services up."""
    pool = descriptor_pool.Default()
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file:
        if file.package == package:  # the others are those of installed modules
            pool.AddSerializedFile(file.SerializeToString())


def message(full_name: str, /, **fields: Any) -> Any:
    """Returns a message of a loaded type."""
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(full_name))(**fields)


def handlers(service: str, behaviours: Mapping[str, Any]) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    """Returns handlers for the methods that have a behaviour, as generated code makes them."""
    found: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in descriptor_pool.Default().FindServiceByName(service).methods:
        if method.name not in behaviours:
            continue
        kinds = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
        make = getattr(grpc, f"{kinds[0]}_{kinds[1]}_rpc_method_handler")
        read = message_factory.GetMessageClass(method.input_type).FromString
        write = message_factory.GetMessageClass(method.output_type).SerializeToString
        found[method.name] = make(behaviours[method.name], request_deserializer=read, response_serializer=write)
    return found
