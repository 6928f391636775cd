"""Protos that a test has as text: compiled by protoc, added to the default pool, and served by a gateway."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx2
from google.api import annotations_pb2
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]

from diptych import Gateway, Settings
from tests.conftest import Unchanging

_GOOGLE_API = Path(annotations_pb2.__file__).parents[2]
_GOOGLE_PROTOBUF = Path(protoc.__file__).with_name("_proto")


def compiled(name: str, text: str) -> FileDescriptor:
    """Compiles the file `name` and adds it to the default pool. Its imports must be there already."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, name)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text, encoding="utf-8")
        made = Path(folder, "made.binpb")
        paths = [f"--proto_path={one}" for one in (folder, _GOOGLE_API, _GOOGLE_PROTOBUF)]
        assert protoc.main(["protoc", *paths, f"--descriptor_set_out={made}", name]) == 0, name
        (file,) = FileDescriptorSet.FromString(made.read_bytes()).file
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(name)


def message(file: FileDescriptor, name: str) -> Any:
    """Returns the class of a top-level message."""
    return message_factory.GetMessageClass(file.message_types_by_name[name])


def _handler(method: MethodDescriptor, behaviour: Any) -> Any:
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    made: Any = makers[method.client_streaming, method.server_streaming]
    request = message_factory.GetMessageClass(method.input_type)
    return made(behaviour, request.FromString, lambda response: response.SerializeToString())


@asynccontextmanager
async def serving_compiled(
    file: FileDescriptor, behaviours: Mapping[str, Any], *, way: str = "whole", **settings: Any
) -> AsyncIterator[tuple[Gateway, httpx2.AsyncClient]]:
    """Serves the methods of a file's one service by `behaviours`, on free ports."""
    (service,) = file.services_by_name.values()
    gateway = Gateway(Settings(**{"http_port": 0, "grpc_port": 0, "allowed_hosts": ("*",), **settings}))
    handlers = {name: _handler(service.methods_by_name[name], one) for name, one in behaviours.items()}
    gateway.add_registered_method_handlers(service.full_name, handlers)
    if way == "asgi":
        gateway.app.add_middleware(Unchanging)
    async with (
        gateway,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=20, verify=False) as client,
    ):
        yield gateway, client
