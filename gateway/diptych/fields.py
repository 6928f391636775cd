"""Dotted field paths to descriptors: `a.b.c`, in proto or JSON names.

It knows no values: how text or JSON becomes a value is `codec`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

# Messages whose JSON form is one scalar, so that a query parameter or a path variable can hold them.
SCALAR_MESSAGES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("Timestamp", "Duration", "FieldMask", "StringValue", "BytesValue", "BoolValue"),
        *("Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue"),
    )
)
# Messages whose JSON form is free or needs a type, so that nothing below them can be named.
OPAQUE_MESSAGES = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue"))
HTTP_BODY = "google.api.HttpBody"
FIELD_MASK = "google.protobuf.FieldMask"

# Names come from clients, and comparing takes time in the square of their length.
_LONGEST_NAME = 100


class UnknownField(LookupError):
    """No field of that name: `path` is the part that was understood, `name` the part that was not."""

    def __init__(self, message: Descriptor, path: str, name: str, reason: str = "") -> None:
        self.message, self.path, self.name = message, path, name
        super().__init__(reason or f"{message.full_name} has no field {name!r}{did_you_mean(message, name)}")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Descriptors from a message down to one of its fields."""

    fields: tuple[FieldDescriptor, ...]

    @property
    def leaf(self) -> FieldDescriptor:
        """The field itself."""
        return self.fields[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """The proto names from top to leaf."""
        return tuple(field.name for field in self.fields)

    def __str__(self) -> str:
        return ".".join(self.names)


def owner_message(field: FieldDescriptor) -> Descriptor:
    """The message that a field stands in. Raises TypeError for an extension at the top of a file."""
    if field.containing_type is None:
        raise TypeError(f"{field.full_name} stands in no message")
    return field.containing_type


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether it is a list; a map is one too on the wire, and not one here."""
    return bool(field.is_repeated) and not is_map(field)


def is_map(field: FieldDescriptor) -> bool:
    """Whether it is a map field."""
    return map_entry(field) is not None


def map_entry(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor] | None:
    """A map's key and value, or None where the field is no map."""
    if field.message_type is None or not field.message_type.GetOptions().map_entry:
        return None
    entry = field.message_type.fields_by_name
    return entry["key"], entry["value"]


def is_scalar(field: FieldDescriptor) -> bool:
    """Whether one JSON scalar holds one value of it."""
    return field.message_type is None or field.message_type.full_name in SCALAR_MESSAGES


@cache
def by_any_name(message: Descriptor) -> dict[str, FieldDescriptor]:
    """A message's fields by JSON name and by proto name; where the two clash the JSON name wins, as in protobuf."""
    named = {field.name: field for field in message.fields}
    named.update({field.json_name: field for field in message.fields})
    return named


def did_you_mean(message: Descriptor, name: str) -> str:
    """Where a field has a name like this one, the question whether it was meant, else nothing."""
    if len(name) > _LONGEST_NAME:
        return ""
    close = get_close_matches(name, [field.json_name for field in message.fields], n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""


def resolve(message: Descriptor, path: str) -> FieldPath:
    """The descriptors along a dotted path; raises `UnknownField` at the first name that is none.

    Only messages can be descended into: not lists, maps, or messages with a JSON form of their own.
    """
    fields: list[FieldDescriptor] = []
    at: Descriptor | None = message
    for name in path.split("."):
        above = ".".join(field.name for field in fields)
        if at is None:
            last = fields[-1]
            reason = f"field {above!r} of {message.full_name} {_why_closed(last)}, so {name!r} cannot be named below it"
            raise UnknownField(last.containing_type or message, above, name, reason)
        field = by_any_name(at).get(name)
        if field is None:
            raise UnknownField(at, above, name)
        fields.append(field)
        at = None if _why_closed(field) else field.message_type
    return FieldPath(tuple(fields))


def _why_closed(field: FieldDescriptor) -> str:
    """Why no field below this one can be named; empty where it can."""
    message = field.message_type
    if is_map(field):
        return "is a map"
    if field.is_repeated:
        return "is repeated"
    if message is None:
        return "is no message"
    if message.full_name in SCALAR_MESSAGES or message.full_name in OPAQUE_MESSAGES:
        return f"is a {message.full_name}"
    return ""
