"""JSON by protobuf-py's native extension; google.protobuf messages are passed to it and back as bytes.

Only this file knows protobuf-py. Its classes are built at start-up; a request only looks them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import protobuf
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import Message
from protobuf.wkt import FileDescriptorSet

from .options import JsonOptions


class NativeJson:
    """Parses and prints the messages of some files and their imports."""

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        gathered: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        for file in files:
            _gather(file, gathered)
        every = descriptor_pb2.FileDescriptorSet(file=gathered.values())
        self._registry = _registry(every.SerializeToString())

    def _type(self, made: type[Message]) -> type[protobuf.Message]:
        found = self._registry.message(made.DESCRIPTOR.full_name)
        if found is None:
            raise LookupError(f"{made.DESCRIPTOR.full_name} is in none of the registered files")
        return found.type

    def parser(self, made: type[Message]) -> Callable[[bytes, bool], Message]:
        """Returns a function from JSON and `ignore_unknown` to a message; protobuf-py's exceptions pass through.

        It is too lenient with oneofs, infinite numbers and Any, see `reach`. `ignore_unknown` also ignores unknown enum
        names.
        """
        from_json, registry, from_bytes = self._type(made).from_json, self._registry, made.FromString

        def parse(body: bytes, ignore_unknown: bool) -> Message:
            return from_bytes(from_json(body, registry=registry, ignore_unknown_fields=ignore_unknown).to_binary())

        return parse

    def printer(self, made: type[Message], options: JsonOptions) -> Callable[[Message], bytes]:
        """Returns a function from a message to compact JSON; protobuf-py's exceptions pass through."""
        from_binary, registry = self._type(made).from_binary, self._registry
        emit, ints, names = options.emit_defaults, options.enums_as_ints, options.preserve_names

        def show(message: Message) -> bytes:
            return (
                from_binary(message.SerializeToString())
                .to_json(
                    registry=registry,
                    always_emit_implicit=emit,
                    print_enums_as_ints=ints,
                    use_proto_field_name=names,
                )
                .encode()
            )

        return show


@lru_cache(maxsize=8)
def _registry(files: bytes) -> protobuf.Registry:
    """Returns the messages of a FileDescriptorSet; cached, since building them is half of a gateway's start-up CPU."""
    return FileDescriptorSet.from_binary(files).to_registry()


def _gather(file: FileDescriptor, into: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    if file.name in into:
        return
    for dependency in file.dependencies:
        _gather(dependency, into)
    proto = into[file.name] = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
    _reverse_aliases(proto.enum_type)
    for message in proto.message_type:
        _name(file.message_types_by_name[message.name], message)


def _name(message: Descriptor, proto: descriptor_pb2.DescriptorProto) -> None:
    """Adds the JSON names: protoc omits them from embedded descriptors, and protobuf-py would use "" instead."""
    for field in proto.field:
        field.json_name = message.fields_by_name[field.name].json_name
    _reverse_aliases(proto.enum_type)
    for nested in proto.nested_type:
        _name(message.nested_types_by_name[nested.name], nested)


def _reverse_aliases(enums: Iterable[descriptor_pb2.EnumDescriptorProto]) -> None:
    """Reverses the names of each number: protobuf-py prints the last one, and JSON has the first declared."""
    for enum in enums:
        names: dict[int, list[str]] = {}
        for value in enum.value:
            names.setdefault(value.number, []).append(value.name)
        for value in enum.value:
            value.name = names[value.number].pop()
