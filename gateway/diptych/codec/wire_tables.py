"""Turns descriptors into the tables of `diptych_json`.

It knows descriptors and no values. `gateway/json-codec/src/tables.rs` reads what it makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

from ..fields import OPAQUE_MESSAGES, SCALAR_MESSAGES, by_any_name, map_entry, written_name

if TYPE_CHECKING:
    from diptych_json import EnumSpec, FieldSpec, MessageSpec

_FORMS = {
    **dict.fromkeys(SCALAR_MESSAGES, "Wrapper"),
    **{f"google.protobuf.{name}": name for name in ("Timestamp", "Duration", "FieldMask")},
    **{name: name.rpartition(".")[2] for name in OPAQUE_MESSAGES},
}
_NULL = "google.protobuf.NullValue"


class Tables:
    """The messages of a file, and all messages and enums below them; `at` has a message's index by its full name."""

    def __init__(self, file: FileDescriptor) -> None:
        self.messages: list[MessageSpec] = []
        self.enums: list[EnumSpec] = []
        self.at: dict[str, int] = {}
        self._enum_at: dict[str, int] = {}
        every = list(_reachable(file))
        for index, message in enumerate(every):
            self.at[message.full_name] = index
        self.messages.extend(self._message(message) for message in every)

    def _message(self, message: Descriptor) -> MessageSpec:
        at = {field.number: index for index, field in enumerate(message.fields)}
        names = [(name, at[field.number]) for name, field in by_any_name(message).items()]
        fields = [self._field(field) for field in message.fields]
        requires = any(field.is_required for field in message.fields)
        return _FORMS.get(message.full_name, ""), message.is_extendable, requires, fields, names

    def _field(self, field: FieldDescriptor) -> FieldSpec:
        shape = "one" if not field.is_repeated else "list" if map_entry(field) is None else "map"
        oneof = field.containing_oneof
        among = -1 if oneof is None or len(oneof.fields) == 1 else oneof.index
        below = 0
        if field.message_type is not None:
            below = self.at[field.message_type.full_name]
        elif field.enum_type is not None:
            below = self._enum(field.enum_type)
        kept = written_name(field, preserve=True)
        return field.number, field.json_name, kept, field.type, shape, field.has_presence, below, among

    def _enum(self, enum: EnumDescriptor) -> int:
        found = self._enum_at.get(enum.full_name)
        if found is None:
            found = self._enum_at[enum.full_name] = len(self.enums)
            values = [(value.name, value.number) for value in enum.values]
            self.enums.append((not enum.is_closed, enum.full_name == _NULL, values))
        return found


def _reachable(file: FileDescriptor) -> Iterable[Descriptor]:
    seen: set[str] = set()
    todo = [*file.message_types_by_name.values()]
    while todo:
        message = todo.pop()
        if message.full_name not in seen:
            seen.add(message.full_name)
            yield message
            todo.extend(message.nested_types)
            todo.extend(field.message_type for field in message.fields if field.message_type is not None)
