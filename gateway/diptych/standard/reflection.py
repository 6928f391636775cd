"""Server reflection, `grpc.reflection.v1` and its older name `v1alpha`, over grpcio-reflection's servicer.

grpcio-reflection ships v1alpha only; v1 has the same messages in another package (gRFC A15), so its descriptor is
derived from v1alpha's.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from ..methods import Handler

_ALPHA, _STABLE = "grpc.reflection.v1alpha", "grpc.reflection.v1"
_SERVICE = "ServerReflection"
NAMES = (f"{_STABLE}.{_SERVICE}", f"{_ALPHA}.{_SERVICE}")


def _stable_descriptor() -> None:
    pool = descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", _STABLE
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(f".{_ALPHA}.", f".{_STABLE}.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(f".{_ALPHA}.", f".{_STABLE}.")
        method.output_type = method.output_type.replace(f".{_ALPHA}.", f".{_STABLE}.")
    try:
        pool.FindFileByName(file.name)
    except KeyError:
        pool.AddSerializedFile(file.SerializeToString())


def reflected(services: Iterable[str]) -> dict[str, Handler]:
    """Returns reflection's handlers; they report `services` and reflection itself."""
    _stable_descriptor()
    servicer = reflection.aio.ReflectionServicer([*dict.fromkeys([*services, *NAMES])])
    # The servicer returns v1alpha's messages, whose encoding is the same as v1's.
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return {f"/{name}/ServerReflectionInfo": handler for name in NAMES}
