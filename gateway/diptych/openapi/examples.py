"""Example bodies, which /docs prefills in "Try it out".

An example means the same as an empty request, except for required fields: it has the zero value of each field without
presence. It knows no method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import SCALAR_MESSAGES, is_map, written_name
from ..settings import Settings
from .kinds import has_own_form, is_output_only, is_required

# Examples of messages with a special JSON form; a wrapper has its value's.
_OWN: Mapping[str, Any] = {
    "google.protobuf.Any": {},
    "google.protobuf.Duration": "0s",
    "google.protobuf.FieldMask": "",
    "google.protobuf.ListValue": [],
    "google.protobuf.Struct": {},
    "google.protobuf.Timestamp": "1970-01-01T00:00:00Z",
    "google.protobuf.Value": None,
}
_TEXT = {  # 64-bit integers are strings in JSON
    FieldDescriptor.CPPTYPE_INT64: "0",
    FieldDescriptor.CPPTYPE_UINT64: "0",
    FieldDescriptor.CPPTYPE_STRING: "",  # bytes too
    FieldDescriptor.CPPTYPE_BOOL: False,
}


class Examples:
    """Makes examples, in the JSON form of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def message(
        self, message: Descriptor, bound: frozenset[tuple[str, ...]], above: tuple[Descriptor, ...] = ()
    ) -> Any:
        """Returns an example of a message, without the field paths `bound`, which the URL's path sets."""
        if message.full_name in SCALAR_MESSAGES and "value" in message.fields_by_name:
            return self._one(message.fields_by_name["value"], bound, above)
        if has_own_form(message):
            return _OWN[message.full_name]
        example = {}
        for field in message.fields:
            if (field.name,) in bound or is_output_only(field) or message in above:
                continue
            if is_required(field) or not field.has_presence:
                name = written_name(field, preserve=self._settings.preserve_names)
                below = frozenset(path[1:] for path in bound if path[0] == field.name)
                example[name] = self.field(field, below, (*above, message))
        return example

    def field(
        self, field: FieldDescriptor, bound: frozenset[tuple[str, ...]], above: tuple[Descriptor, ...] = ()
    ) -> Any:
        """Returns an example of a whole field: an empty map, an empty list, or one value."""
        if field.is_repeated:
            return {} if is_map(field) else []
        return self._one(field, bound, above)

    def _one(self, field: FieldDescriptor, bound: frozenset[tuple[str, ...]], above: tuple[Descriptor, ...]) -> Any:
        if field.message_type is not None:
            return self.message(field.message_type, bound, above)
        if field.enum_type is not None:
            if field.enum_type.full_name == "google.protobuf.NullValue":
                return None
            first = field.enum_type.values[0]
            return first.number if self._settings.enums_as_ints else first.name
        return _TEXT.get(field.cpp_type, 0)
