"""Messages of proto2, made at run time: a closed enum, groups, an extension and a required field."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field


def _make() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="old.proto", package="old", syntax="proto2")
    enum = file.enum_type.add(name="Closed")
    enum.value.add(name="ZERO", number=0)
    enum.value.add(name="ONE", number=1)
    old = file.message_type.add(name="Old")
    for number, (name, kind, label, below) in enumerate(
        [
            ("closed", Field.TYPE_ENUM, Field.LABEL_OPTIONAL, ".old.Closed"),
            ("several", Field.TYPE_ENUM, Field.LABEL_REPEATED, ".old.Closed"),
            ("text", Field.TYPE_STRING, Field.LABEL_OPTIONAL, None),
            ("pair", Field.TYPE_GROUP, Field.LABEL_OPTIONAL, ".old.Old.Pair"),
            ("pairs", Field.TYPE_GROUP, Field.LABEL_REPEATED, ".old.Old.Pairs"),
            ("needs", Field.TYPE_MESSAGE, Field.LABEL_OPTIONAL, ".old.Needs"),
        ],
        1,
    ):
        old.field.add(name=name, number=number, type=kind, label=label, type_name=below)
    old.field.add(name="seven", number=7, type=Field.TYPE_INT32, label=Field.LABEL_OPTIONAL, default_value="7")
    for name in ("Pair", "Pairs"):
        nested = old.nested_type.add(name=name)
        nested.field.add(name="a", number=1, type=Field.TYPE_INT32, label=Field.LABEL_OPTIONAL)
    old.extension_range.add(start=100, end=200)
    file.extension.add(name="extra", number=100, type=Field.TYPE_INT32, label=Field.LABEL_OPTIONAL, extendee=".old.Old")
    needs = file.message_type.add(name="Needs")
    needs.field.add(name="must", number=1, type=Field.TYPE_STRING, label=Field.LABEL_REQUIRED)
    descriptor_pool.Default().Add(file)
    found = descriptor_pool.Default().FindMessageTypeByName("old.Old")
    return message_factory.GetMessageClass(found)


Old = _make()
EXTRA = Old.DESCRIPTOR.file.extensions_by_name["extra"]
