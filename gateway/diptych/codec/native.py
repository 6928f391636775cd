"""JSON by protobuf-py's native extension: google messages cross to it and back as bytes.

Only this file knows protobuf-py. Classes are built once, when the table is; a request only looks them up.
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
    """Parses and prints the messages of some files and of all they import."""

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
        """A function from JSON and `ignore_unknown` to a message; it raises whatever protobuf-py raises.

        It is lenient in places (oneofs, infinite numbers, Any), see `reach`. With `ignore_unknown` it passes over wrong
        enum names too.
        """
        from_json, registry, from_bytes = self._type(made).from_json, self._registry, made.FromString

        def parse(body: bytes, ignore_unknown: bool) -> Message:
            return from_bytes(from_json(body, registry=registry, ignore_unknown_fields=ignore_unknown).to_binary())

        return parse

    def printer(self, made: type[Message], options: JsonOptions) -> Callable[[Message], bytes]:
        """A function from a message to compact JSON; it raises whatever protobuf-py raises."""
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
    """The messages of a FileDescriptorSet; shared, since building them is half of the CPU of a gateway's start."""
    return FileDescriptorSet.from_binary(files).to_registry()


def _gather(file: FileDescriptor, into: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    if file.name in into:
        return
    for dependency in file.dependencies:
        _gather(dependency, into)
    proto = into[file.name] = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
    for message in proto.message_type:
        _name(file.message_types_by_name[message.name], message)


def _name(message: Descriptor, proto: descriptor_pb2.DescriptorProto) -> None:
    """Write the JSON names down: protoc leaves them out of what it embeds, and protobuf-py takes "" for one."""
    for field in proto.field:
        field.json_name = message.fields_by_name[field.name].json_name
    for nested in proto.nested_type:
        _name(message.nested_types_by_name[nested.name], nested)
