"""JSON by protobuf-py's native extension; google.protobuf messages are passed to it and back as bytes.

Only this file knows protobuf-py. Its classes are built at start-up; a request only looks them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import cast

import protobuf
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import Message
from protobuf.wkt import FileDescriptorSet

from .options import JsonOptions


class NativeJson:
    """Parses and prints the messages of some files and their imports.

    With `one_by_one`, a file's first message makes those of that file, of its imports and of `files`, but of no other
    file: an Any of another type cannot be printed then.
    """

    def __init__(self, files: Iterable[FileDescriptor], *, one_by_one: bool = False) -> None:
        self._files = tuple(files)
        self._registry = None if one_by_one else _registry_of(self._files)
        self._registries: dict[str, protobuf.Registry] = {}

    def _find(self, made: type[Message]) -> tuple[protobuf.Registry, type[protobuf.Message]]:
        registry, file = self._registry, cast(FileDescriptor, made.DESCRIPTOR.file)
        if registry is None:
            registry = self._registries.get(file.name)
        if registry is None:
            registry = self._registries[file.name] = _registry_of((file, *self._files))
        found = registry.message(made.DESCRIPTOR.full_name)
        if found is None:
            raise LookupError(f"{made.DESCRIPTOR.full_name} is in none of the registered files")
        return registry, found.type

    def parser(self, made: type[Message]) -> Callable[[bytes, bool], Message]:
        """Returns a function from JSON and `ignore_unknown` to a message; protobuf-py's exceptions pass through.

        It is too lenient with oneofs, infinite numbers and Any, see `reach`. `ignore_unknown` also ignores unknown enum
        names.
        """
        registry, kind = self._find(made)
        from_json, from_bytes = kind.from_json, made.FromString

        def parse(body: bytes, ignore_unknown: bool) -> Message:
            return from_bytes(from_json(body, registry=registry, ignore_unknown_fields=ignore_unknown).to_binary())

        return parse

    def printer(self, made: type[Message], options: JsonOptions) -> Callable[[Message], bytes]:
        """Returns a function from a message to compact JSON; protobuf-py's exceptions pass through."""
        registry, kind = self._find(made)
        from_binary = kind.from_binary
        emit, ints, names = options.emit_defaults, options.enums_as_ints, options.preserve_names

        def show(message: Message) -> bytes:
            if not message.IsInitialized():  # not by SerializeToString: see `required.missing_fields`
                raise ValueError("a required field is missing")
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


def _registry_of(files: Iterable[FileDescriptor]) -> protobuf.Registry:
    gathered: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for file in files:
        _gather(file, gathered)
    every = descriptor_pb2.FileDescriptorSet(file=gathered.values())
    return _registry(every.SerializeToString())


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
