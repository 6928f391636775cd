"""`protoc-gen-diptych`: a plugin of protoc and buf that writes a proto's comments next to its generated Python module.

Descriptors in generated code carry no comments; `diptych.openapi` reads them from the files written here. The plugin
needs protobuf alone and imports no other room.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

# As SourceCodeInfo.Location.path writes it: field numbers of descriptor.proto and indices in turn.
Location = tuple[int, ...]


def respond(request: plugin_pb2.CodeGeneratorRequest) -> plugin_pb2.CodeGeneratorResponse:
    """Returns a file of comments for each proto that the request asks to generate."""
    response = plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | plugin_pb2.CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=descriptor_pb2.EDITION_PROTO2,
        maximum_edition=descriptor_pb2.EDITION_2024,
    )
    wanted = set(request.file_to_generate)
    for file in request.proto_file:
        if file.name in wanted:
            text = json.dumps(comments(file), ensure_ascii=False, indent=2) + "\n"
            response.file.add(name=comments_name(file.name), content=text)
    return response


def comments_name(proto: str) -> str:
    """Returns the path of a proto's comments: next to the module that protoc's Python generator writes for it."""
    return proto.removesuffix(".proto").replace("-", "_") + "_pb2.comments.json"


def comments(file: FileDescriptorProto) -> dict[str, str]:
    """Returns the comment of each element that has one, by full name; an enum value is named below its enum."""
    names = dict(_elements(file))
    found = {}
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        text = _clean(location.leading_comments or location.trailing_comments)
        if name and text:
            found[name] = text
    return found


def _clean(comment: str) -> str:
    # A comment's text begins after "//", hence with a space; "buf:lint:" lines are instructions to a linter.
    lines = (line.removeprefix(" ").rstrip() for line in comment.splitlines())
    return "\n".join(line for line in lines if not line.startswith("buf:lint:")).strip()


def _elements(file: FileDescriptorProto) -> Iterator[tuple[Location, str]]:
    prefix = f"{file.package}." if file.package else ""
    yield from _messages(file.message_type, (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER,), prefix)
    yield from _enums(file.enum_type, (FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER,), prefix)
    for index, service in enumerate(file.service):
        at, name = (FileDescriptorProto.SERVICE_FIELD_NUMBER, index), prefix + service.name
        yield at, name
        for inner, method in enumerate(service.method):
            yield (*at, ServiceDescriptorProto.METHOD_FIELD_NUMBER, inner), f"{name}.{method.name}"


def _messages(messages: Iterable[DescriptorProto], above: Location, prefix: str) -> Iterator[tuple[Location, str]]:
    for index, message in enumerate(messages):
        at, name = (*above, index), prefix + message.name
        yield at, name
        for inner, field in enumerate(message.field):
            yield (*at, DescriptorProto.FIELD_FIELD_NUMBER, inner), f"{name}.{field.name}"
        for inner, oneof in enumerate(message.oneof_decl):
            yield (*at, DescriptorProto.ONEOF_DECL_FIELD_NUMBER, inner), f"{name}.{oneof.name}"
        yield from _messages(message.nested_type, (*at, DescriptorProto.NESTED_TYPE_FIELD_NUMBER), f"{name}.")
        yield from _enums(message.enum_type, (*at, DescriptorProto.ENUM_TYPE_FIELD_NUMBER), f"{name}.")


def _enums(enums: Iterable[EnumDescriptorProto], above: Location, prefix: str) -> Iterator[tuple[Location, str]]:
    for index, enum in enumerate(enums):
        at, name = (*above, index), prefix + enum.name
        yield at, name
        for inner, value in enumerate(enum.value):
            yield (*at, EnumDescriptorProto.VALUE_FIELD_NUMBER, inner), f"{name}.{value.name}"


def main() -> None:
    """Answers one request of protoc's plugin protocol, from standard input to standard output."""
    answer = respond(plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(answer.SerializeToString())
