"""Resolves dotted field paths such as `a.b.c`, in proto or JSON names, to descriptors.

It knows no values: `codec` converts text and JSON to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

# Messages whose JSON form is one scalar, so that a query parameter or a path variable can hold them.
SCALAR_MESSAGES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("Timestamp", "Duration", "FieldMask", "StringValue", "BytesValue", "BoolValue"),
        *("Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue"),
    )
)
# Messages whose JSON form is free or depends on a type URL: fields below them have no fixed path.
OPAQUE_MESSAGES = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue"))
HTTP_BODY = "google.api.HttpBody"
FIELD_MASK = "google.protobuf.FieldMask"

# Clients choose the names, and comparing them takes quadratic time in their length.
_LONGEST_NAME = 100


class UnknownField(LookupError):
    """A path that names no field: `path` is the part that was resolved, `name` the part that was not."""

    def __init__(self, message: Descriptor, path: str, name: str, reason: str = "") -> None:
        self.message, self.path, self.name = message, path, name
        super().__init__(reason or f"{message.full_name} has no field {name!r}{did_you_mean(message, name)}")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """The descriptors from a message down to one of its fields, however deeply nested."""

    fields: tuple[FieldDescriptor, ...]

    @property
    def leaf(self) -> FieldDescriptor:
        """Returns the last field of the path."""
        return self.fields[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """Returns the proto names from the top field to the leaf."""
        return tuple(field.name for field in self.fields)

    def __str__(self) -> str:
        return ".".join(self.names)


def owner_message(field: FieldDescriptor) -> Descriptor:
    """Returns the message that declares a field. Raises TypeError for a top-level extension."""
    if field.containing_type is None:
        raise TypeError(f"{field.full_name} is a top-level extension, not a field of a message")
    return field.containing_type


def is_repeated(field: FieldDescriptor) -> bool:
    """Returns whether the field is a list; a map is not, although it is repeated on the wire."""
    return bool(field.is_repeated) and not is_map(field)


def is_map(field: FieldDescriptor) -> bool:
    """Returns whether the field is a map."""
    return map_entry(field) is not None


def map_entry(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor] | None:
    """Returns a map's key and value fields, or None if the field is not a map."""
    message = field.message_type
    # Options are parsed when they are read, and most messages have none.
    if message is None or not message.has_options or not message.GetOptions().map_entry:
        return None
    entry = message.fields_by_name
    return entry["key"], entry["value"]


def is_scalar(field: FieldDescriptor) -> bool:
    """Returns whether a value of the field is a scalar in JSON."""
    return field.message_type is None or field.message_type.full_name in SCALAR_MESSAGES


@cache
def by_any_name(message: Descriptor) -> dict[str, FieldDescriptor]:
    """Returns a message's fields by JSON name and by proto name; if they clash, the JSON name wins, as in protobuf."""
    named = {field.name: field for field in message.fields}
    named.update({field.json_name: field for field in message.fields})
    return named


@cache
def by_proto_name(message: Descriptor) -> dict[str, FieldDescriptor]:
    """Returns the same for a template, `body` and `response_body` of a rule, where the proto name wins."""
    return {**by_any_name(message), **{field.name: field for field in message.fields}}


def extension(message: Descriptor, name: str) -> FieldDescriptor | None:
    """Returns the extension of proto2 that JSON names by its full name in brackets, or None."""
    if not message.is_extendable or not (name.startswith("[") and name.endswith("]")):
        return None
    try:
        found = descriptor_pool.Default().FindExtensionByName(name[1:-1])
    except KeyError:
        return None
    extended = found.containing_type
    return found if extended is not None and extended.full_name == message.full_name else None


def written_name(field: FieldDescriptor, *, preserve: bool) -> str:
    """Returns the name by which JSON has a field: its JSON name, or with `preserve` its proto name.

    A proto name that is the JSON name of another field would read back as that one, so such a field has its JSON name.
    """
    if preserve and by_any_name(owner_message(field))[field.name].number == field.number:
        return field.name
    return field.json_name


def did_you_mean(message: Descriptor, name: str) -> str:
    """Returns a suggestion to append to an error if a field has a similar name, else an empty string."""
    if len(name) > _LONGEST_NAME:
        return ""
    close = get_close_matches(name, [field.json_name for field in message.fields], n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def shared_oneof(one: FieldPath, other: FieldPath) -> str | None:
    """Returns the name of the oneof of which two paths set different fields, or None if there is none."""
    for field, beside in zip(one.fields, other.fields, strict=False):
        if field != beside:
            oneof = field.containing_oneof
            return oneof.name if oneof is not None and oneof == beside.containing_oneof else None
    return None


def check_depth(path: str, deepest: int) -> None:
    """Raises ValueError for a dotted path of more than `deepest` names: what it sets would nest as deeply."""
    if path.count(".") >= deepest:
        raise ValueError(f"the name nests deeper than {deepest} levels")


def resolve(message: Descriptor, path: str, *, proto_first: bool = False) -> FieldPath:
    """Returns the descriptors along a dotted path. Raises `UnknownField` for the first name that is not a field.

    A path can continue only below a message, not below a list, a map, or a message with a special JSON form. If a name
    is the JSON name of one field and the proto name of another, the first is meant, with `proto_first` the second.
    """
    named = by_proto_name if proto_first else by_any_name
    fields: list[FieldDescriptor] = []
    at: Descriptor | None = message
    for name in path.split("."):
        above = ".".join(field.name for field in fields)
        if at is None:
            last = fields[-1]
            reason = f"field {above!r} of {message.full_name} {_why_closed(last)}; it has no field {name!r}"
            raise UnknownField(last.containing_type or message, above, name, reason)
        field = named(at).get(name)
        if field is None:
            raise UnknownField(at, above, name)
        fields.append(field)
        at = None if _why_closed(field) else field.message_type
    return FieldPath(tuple(fields))


def _why_closed(field: FieldDescriptor) -> str:
    """Returns why a path cannot continue below this field; an empty string if it can."""
    message = field.message_type
    if is_map(field):
        return "is a map"
    if field.is_repeated:
        return "is repeated"
    if message is None:
        return "is a scalar"
    if message.full_name in SCALAR_MESSAGES or message.full_name in OPAQUE_MESSAGES:
        return f"is a {message.full_name}"
    return ""
