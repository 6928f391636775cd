"""A protoc plugin that answers buf with what grpcio-tools and mypy-protobuf generate: messages, gRPC stubs, types.

Beside each `_pb2.py` it lays the proto's comments, which generated descriptors do not carry and the OpenAPI document
shows. Which files are generated, and where they go, is buf.gen.yaml's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

OUTPUTS = ("python_out", "grpc_python_out", "mypy_out", "mypy_grpc_out")

# A place in a file, as SourceCodeInfo.Location.path has it: field numbers of descriptor.proto and indices by turns.
Place = tuple[int, ...]


def generate(request: plugin_pb2.CodeGeneratorRequest) -> plugin_pb2.CodeGeneratorResponse:
    """Run protoc over the request's descriptors; every generated file comes back, or protoc's own error text."""
    response = plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    )
    with tempfile.TemporaryDirectory() as folder:
        descriptors, out = Path(folder, "descriptors.binpb"), Path(folder, "out")
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        out.mkdir()
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={descriptors}"]
        for name in ("mypy", "mypy_grpc"):
            command.append(f"--plugin=protoc-gen-{name}={Path(sys.executable).with_name(f'protoc-gen-{name}')}")
        command += [f"--{name}={'quiet:' if 'mypy' in name else ''}{out}" for name in OUTPUTS]
        done = subprocess.run([*command, *request.file_to_generate], capture_output=True, text=True, check=False)
        if done.returncode:
            response.error = done.stderr.strip() or f"protoc ended with {done.returncode}"
            return response
        for path in sorted(out.rglob("*")):
            if path.is_file():
                response.file.add(name=path.relative_to(out).as_posix(), content=path.read_text(encoding="utf-8"))
    wanted = set(request.file_to_generate)
    for file in request.proto_file:
        if file.name in wanted:
            text = json.dumps(comments(file), ensure_ascii=False, indent=2) + "\n"
            response.file.add(name=comments_name(file.name), content=text)
    return response


def comments_name(proto: str) -> str:
    """Where a proto's comments go: beside the module protoc's Python generator makes of it."""
    return proto.removesuffix(".proto").replace("-", "_") + "_pb2.comments.json"


def comments(file: FileDescriptorProto) -> dict[str, str]:
    """The comment of each element that has one, by full name; an enum value's name goes below its enum's."""
    names = dict(_elements(file))
    found = {}
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        text = _clean(location.leading_comments or location.trailing_comments)
        if name and text:
            found[name] = text
    return found


def _clean(comment: str) -> str:
    # A comment's text begins after "//", so a space comes first; notes to linters are for no reader.
    lines = (line.removeprefix(" ").rstrip() for line in comment.splitlines())
    return "\n".join(line for line in lines if not line.startswith("buf:lint:")).strip()


def _elements(file: FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    prefix = f"{file.package}." if file.package else ""
    yield from _messages(file.message_type, (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER,), prefix)
    yield from _enums(file.enum_type, (FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER,), prefix)
    for index, service in enumerate(file.service):
        at, name = (FileDescriptorProto.SERVICE_FIELD_NUMBER, index), prefix + service.name
        yield at, name
        for inner, method in enumerate(service.method):
            yield (*at, ServiceDescriptorProto.METHOD_FIELD_NUMBER, inner), f"{name}.{method.name}"


def _messages(messages: Iterable[DescriptorProto], above: Place, prefix: str) -> Iterator[tuple[Place, str]]:
    for index, message in enumerate(messages):
        at, name = (*above, index), prefix + message.name
        yield at, name
        for inner, field in enumerate(message.field):
            yield (*at, DescriptorProto.FIELD_FIELD_NUMBER, inner), f"{name}.{field.name}"
        for inner, oneof in enumerate(message.oneof_decl):
            yield (*at, DescriptorProto.ONEOF_DECL_FIELD_NUMBER, inner), f"{name}.{oneof.name}"
        yield from _messages(message.nested_type, (*at, DescriptorProto.NESTED_TYPE_FIELD_NUMBER), f"{name}.")
        yield from _enums(message.enum_type, (*at, DescriptorProto.ENUM_TYPE_FIELD_NUMBER), f"{name}.")


def _enums(enums: Iterable[EnumDescriptorProto], above: Place, prefix: str) -> Iterator[tuple[Place, str]]:
    for index, enum in enumerate(enums):
        at, name = (*above, index), prefix + enum.name
        yield at, name
        for inner, value in enumerate(enum.value):
            yield (*at, EnumDescriptorProto.VALUE_FIELD_NUMBER, inner), f"{name}.{value.name}"


if __name__ == "__main__":
    answer = generate(plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(answer.SerializeToString())
