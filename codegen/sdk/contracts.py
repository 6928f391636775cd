"""The contracts as the generator sees them: messages, enums and methods with their comments and REST bindings.

Read from a CodeGeneratorRequest. It knows nothing of Python's names for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

from diptych.protoc_plugin import comments

Behavior = field_behavior_pb2.FieldBehavior


@dataclass(frozen=True, slots=True)
class Contracts:
    """All files of a request; those to generate come in the order of their names."""

    files: tuple[FileDescriptorProto, ...]
    comments: dict[str, str]
    messages: dict[str, Message]
    enums: dict[str, Enum]

    @classmethod
    def of(cls, request: CodeGeneratorRequest) -> Contracts:
        """Reads a request of protoc or buf, which must have the comments of its files."""
        wanted = set(request.file_to_generate)
        texts: dict[str, str] = {}
        messages: dict[str, Message] = {}
        enums: dict[str, Enum] = {}
        for file in request.proto_file:
            texts |= comments(file)
            for message in file.message_type:
                messages |= {one.name: one for one in _messages(file, message, f"{file.package}.{message.name}", texts)}
            for enum in file.enum_type:
                name = f"{file.package}.{enum.name}"
                enums[name] = Enum(name, file.package, enum, texts)
        files = sorted((file for file in request.proto_file if file.name in wanted), key=lambda file: file.name)
        return cls(tuple(files), texts, messages, enums)

    def packages(self) -> dict[str, list[FileDescriptorProto]]:
        """Returns the files of each package, sorted."""
        found: dict[str, list[FileDescriptorProto]] = {}
        for file in self.files:
            found.setdefault(file.package, []).append(file)
        return dict(sorted(found.items()))

    def rpcs(self) -> Iterator[Rpc]:
        """Yields every method, in the order of the files."""
        for file in self.files:
            for service in file.service:
                for method in service.method:
                    full = f"{file.package}.{service.name}"
                    yield Rpc(f"{full}/{method.name}", self.comments.get(f"{full}.{method.name}", ""), method, self)


@dataclass(frozen=True)
class Message:
    """A message: its full name, its package and the module that protoc makes of its file."""

    name: str
    package: str
    module: str
    proto: DescriptorProto
    texts: dict[str, str] = field(repr=False)

    @property
    def comment(self) -> str:
        return self.texts.get(self.name, "")

    @cached_property
    def fields(self) -> list[Field]:
        return [Field(one, self) for one in self.proto.field]

    @property
    def is_map_entry(self) -> bool:
        return self.proto.options.map_entry

    def oneofs(self) -> dict[str, list[str]]:
        """Returns the fields of each oneof; an `optional` field, which is one for protoc, is none."""
        found: dict[str, list[str]] = {}
        for one in self.proto.field:
            if one.HasField("oneof_index") and not one.proto3_optional:
                found.setdefault(self.proto.oneof_decl[one.oneof_index].name, []).append(one.name)
        return found


@dataclass(frozen=True)
class Field:
    """A field of a message."""

    proto: FieldDescriptorProto
    message: Message = field(repr=False)

    @property
    def name(self) -> str:
        return self.proto.name

    @property
    def comment(self) -> str:
        return self.message.texts.get(f"{self.message.name}.{self.name}", "")

    @property
    def type_name(self) -> str:
        """The full name of a message or an enum; empty for a scalar."""
        return self.proto.type_name.removeprefix(".")

    @property
    def repeated(self) -> bool:
        return self.proto.label == FieldDescriptorProto.LABEL_REPEATED

    @property
    def is_bytes(self) -> bool:
        return self.proto.type == FieldDescriptorProto.TYPE_BYTES and not self.repeated

    @property
    def has_presence(self) -> bool:
        """Whether an unset field differs from one with the default value."""
        return (
            self.proto.HasField("oneof_index") or self.proto.type == FieldDescriptorProto.TYPE_MESSAGE
        ) and not self.repeated

    @property
    def required(self) -> bool:
        return Behavior.REQUIRED in self._behaviors

    @property
    def output_only(self) -> bool:
        return Behavior.OUTPUT_ONLY in self._behaviors

    @property
    def immutable(self) -> bool:
        return Behavior.IMMUTABLE in self._behaviors

    @property
    def _behaviors(self) -> list[int]:
        extension: Any = field_behavior_pb2.field_behavior
        return list(self.proto.options.Extensions[extension])


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum."""

    name: str
    package: str
    proto: EnumDescriptorProto
    texts: dict[str, str] = field(repr=False)

    @property
    def comment(self) -> str:
        return self.texts.get(self.name, "")


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method and its first REST binding. Raises ValueError if it has none."""

    name: str  # "package.Service/Method"
    comment: str
    proto: MethodDescriptorProto
    contracts: Contracts = field(repr=False)

    @property
    def binding(self) -> tuple[str, str, str]:
        """The verb, the template and the body of the binding."""
        extension: Any = annotations_pb2.http
        rule: Any = self.proto.options.Extensions[extension]
        verb = rule.WhichOneof("pattern")
        if verb is None or verb == "custom":
            raise ValueError(f"{self.name} has no google.api.http annotation, which names its place in the SDK")
        return verb.upper(), getattr(rule, verb), rule.body

    @property
    def request(self) -> Message:
        return self.contracts.messages[self.proto.input_type.removeprefix(".")]

    @property
    def response(self) -> Message:
        return self.contracts.messages[self.proto.output_type.removeprefix(".")]


def _messages(
    file: FileDescriptorProto, message: DescriptorProto, name: str, texts: dict[str, str]
) -> Iterator[Message]:
    module = file.name.removesuffix(".proto").replace("/", ".").replace("-", "_") + "_pb2"
    yield Message(name, file.package, module, message, texts)
    for inner in message.nested_type:
        yield from _messages(file, inner, f"{name}.{inner.name}", texts)
