"""Server reflection, `grpc.reflection.v1` and its older name `v1alpha`.

grpcio-reflection ships v1alpha only; v1 has the same messages in another package (gRFC A15), so its descriptor is
derived from v1alpha's. Its servicer finds no methods (`package.Service.Method`), which the proto promises and grpcurl
asks for, so the answers are made here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc import StatusCode
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest as Request
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Response

from ..methods import Handler

_POOL = descriptor_pool.Default()

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
    reflection = _Reflection(sorted({*services, *NAMES}))
    # v1alpha's messages, whose encoding is the same as v1's.
    handler = grpc.stream_stream_rpc_method_handler(
        reflection.serve,
        request_deserializer=Request.FromString,
        response_serializer=Response.SerializeToString,
    )
    return {f"/{name}/ServerReflectionInfo": handler for name in NAMES}


class _Reflection:
    """Answers from the default descriptor pool. What is missing there is NOT_FOUND in the answer, not a failed call."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = services
        self._answers: Mapping[str, Callable[[Any, Response], None]] = {
            "file_by_filename": lambda name, response: _put_files(response, _POOL.FindFileByName(name)),
            "file_containing_symbol": lambda name, response: _put_files(response, _file_of(name)),
            "file_containing_extension": lambda ask, response: _put_files(
                response, _file_of_extension(ask.containing_type, ask.extension_number)
            ),
            "all_extension_numbers_of_type": _put_numbers,
            "list_services": self._put_services,
        }

    async def serve(self, requests: AsyncIterator[Request], _: Any) -> AsyncIterator[Response]:
        async for request in requests:
            yield self._answer(request)

    def _answer(self, request: Request) -> Response:
        response = Response(valid_host=request.host, original_request=request)
        kind = request.WhichOneof("message_request")
        if kind is None:
            _put_error(response, StatusCode.INVALID_ARGUMENT, "the request asks nothing")
            return response
        try:
            self._answers[kind](getattr(request, kind), response)
        except KeyError:
            asked = str(getattr(request, kind)).strip().replace("\n", ", ")
            _put_error(response, StatusCode.NOT_FOUND, f"{kind}: {asked} not found")
        return response

    def _put_services(self, _: str, response: Response) -> None:
        found = response.list_services_response.service
        for name in self._services:
            found.add(name=name)


def _file_of(symbol: str) -> FileDescriptor:
    """Returns the file that declares a symbol: also a method, which the pool finds by its own look-up only."""
    try:
        return _POOL.FindFileContainingSymbol(symbol)
    except KeyError:
        return _POOL.FindMethodByName(symbol).containing_service.file


def _file_of_extension(message: str, number: int) -> FileDescriptor:
    extension = _POOL.FindExtensionByNumber(_POOL.FindMessageTypeByName(message), number)
    return _POOL.FindFileContainingSymbol(extension.full_name)


def _put_numbers(message: str, response: Response) -> None:
    descriptor = _POOL.FindMessageTypeByName(message)
    numbers = sorted(extension.number for extension in _POOL.FindAllExtensions(descriptor))
    answer = response.all_extension_numbers_response
    answer.base_type_name = descriptor.full_name
    answer.extension_number.extend(numbers)


def _put_files(response: Response, file: FileDescriptor) -> None:
    """Sets a file and everything that it imports, the file itself first."""
    seen: dict[str, FileDescriptor] = {}
    waiting = [file]
    while waiting:
        one = waiting.pop()
        if one.name not in seen:
            seen[one.name] = one
            waiting.extend(one.dependencies)
    response.file_descriptor_response.file_descriptor_proto.extend(one.serialized_pb for one in seen.values())


def _put_error(response: Response, code: StatusCode, message: str) -> None:
    response.error_response.error_code = code.value[0]
    response.error_response.error_message = message
