"""A message with a field of every kind alone, in a list and in a map, and with every kind of key; made at run time."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

_SCALARS = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in Field.Type.items()
    if name not in ("TYPE_GROUP", "TYPE_MESSAGE", "TYPE_ENUM")
}
_NAMED = {
    "aliased": (Field.TYPE_ENUM, ".kinds.Aliased"),
    "below": (Field.TYPE_MESSAGE, ".kinds.Kinds"),
    "wrapped_float": (Field.TYPE_MESSAGE, ".google.protobuf.FloatValue"),
}
_KEYS = ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "bool")


def _make() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="kinds.proto", package="kinds", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    enum = file.enum_type.add(name="Aliased")
    enum.options.allow_alias = True
    for name, number in (("NONE", 0), ("FIRST", 1), ("SECOND", 1), ("LESS", -1), ("NOTHING", 0)):
        enum.value.add(name=name, number=number)
    kinds = file.message_type.add(name="Kinds")
    kinds.oneof_decl.add(name="choice")
    types = {**{name: (number, "") for name, number in _SCALARS.items()}, **_NAMED}
    for at, (name, (number, type_name)) in enumerate(types.items(), 1):
        one = {"type": number, "type_name": type_name} if type_name else {"type": number}
        # Out of order and far apart: the order of declaration is not that of the wire.
        kinds.field.add(name=f"{name}_one", number=50_000 - at, label=Field.LABEL_OPTIONAL, **one)
        kinds.field.add(name=f"{name}_list", number=at, label=Field.LABEL_REPEATED, **one)
        kinds.field.add(name=f"{name}_choice", number=200 + at, label=Field.LABEL_OPTIONAL, oneof_index=0, **one)
        _map(kinds, f"{name}_map", 100 + at, Field.TYPE_STRING, one)
    for at, name in enumerate(_KEYS):
        _map(kinds, f"by_{name}", 300 + at, _SCALARS[name], {"type": Field.TYPE_BOOL})
    descriptor_pool.Default().Add(file)
    found = descriptor_pool.Default().FindMessageTypeByName("kinds.Kinds")
    return message_factory.GetMessageClass(found)


def _map(kinds: descriptor_pb2.DescriptorProto, name: str, number: int, key: int, value: dict[str, Any]) -> None:
    entry = name.title().replace("_", "") + "Entry"
    nested = kinds.nested_type.add(name=entry)
    nested.options.map_entry = True
    nested.field.add(name="key", number=1, type=key, label=Field.LABEL_OPTIONAL)
    nested.field.add(name="value", number=2, label=Field.LABEL_OPTIONAL, **value)
    kinds.field.add(
        name=name,
        number=number,
        type=Field.TYPE_MESSAGE,
        type_name=f".kinds.Kinds.{entry}",
        label=Field.LABEL_REPEATED,
    )


Kinds = _make()
