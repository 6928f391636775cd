"""Services created at run time in the default pool: contracts that a gateway serves without having written them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, json_format

from kitchen.v1 import kitchen_service_pb2 as pb

_NUMBER = itertools.count()

Rules = Mapping[str, dict[str, Any]]


def contract(rules: Rules) -> tuple[str, dict[str, Any]]:
    """Adds a service whose methods have these annotations to the pool; each returns its name and what it received."""
    package = f"foreign{next(_NUMBER)}.v1"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3", dependency=[pb.DESCRIPTOR.name]
    )
    service = file.service.add(name="Ledger")
    extension: Any = annotations_pb2.http
    for name, rule in rules.items():
        method = service.method.add(name=name, input_type=".kitchen.v1.Dish", output_type=".kitchen.v1.Dish")
        if rule:
            json_format.ParseDict(rule, method.options.Extensions[extension])
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())

    def handler(name: str) -> Any:
        async def answer(request: pb.Dish, context: Any) -> pb.Dish:
            return pb.Dish(id=request.id, title=f"{name} {request.title}".strip())

        return grpc.unary_unary_rpc_method_handler(answer, pb.Dish.FromString, pb.Dish.SerializeToString)

    return f"{package}.Ledger", {name: handler(name) for name in rules}


def uploads(path: str) -> tuple[str, dict[str, Any]]:
    """Adds a service with a stream of uploads at `path`, which returns the size of their bytes."""
    package = f"foreign{next(_NUMBER)}.v1"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3", dependency=[pb.DESCRIPTOR.name]
    )
    types = {"input_type": ".kitchen.v1.UploadBlobRequest", "output_type": ".kitchen.v1.UploadBlobResponse"}
    method = file.service.add(name="Depot").method.add(name="Put", client_streaming=True, **types)
    extension: Any = annotations_pb2.http
    json_format.ParseDict({"post": path, "body": "*"}, method.options.Extensions[extension])
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())

    async def put(requests: AsyncIterator[pb.UploadBlobRequest], context: Any) -> pb.UploadBlobResponse:
        return pb.UploadBlobResponse(size=sum([len(request.data) async for request in requests]))

    parse, show = pb.UploadBlobRequest.FromString, pb.UploadBlobResponse.SerializeToString
    return f"{package}.Depot", {"Put": grpc.stream_unary_rpc_method_handler(put, parse, show)}
