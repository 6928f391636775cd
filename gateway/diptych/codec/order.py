"""Brings json_format's values into the form in which the other engines print them.

That is the declared order of fields, the order of a map's entries on the wire, whole numbers without a fraction, and
null for NullValue with every option. It knows descriptors, not messages.
"""

from __future__ import annotations

from math import copysign
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import SCALAR_MESSAGES, extension, map_entry, written_name

_ANY = "google.protobuf.Any"
_NULL = "google.protobuf.NullValue"
_EXPONENT = 1e16  # from here on repr writes one
_FREE = frozenset(f"google.protobuf.{name}" for name in ("Struct", "Value", "ListValue"))


def in_order(message: Descriptor, value: Any, *, names: bool) -> Any:
    """Returns the JSON value of a message with its members in order; `names` means that they have proto names."""
    if message.full_name in SCALAR_MESSAGES:
        return _number(value)
    if message.full_name in _FREE:
        return _free(value)
    if message.full_name == _ANY:
        return _any(value, names=names)
    ordered = {}
    for field in message.fields:
        key = field.name if names else field.json_name
        if key in value:
            ordered[written_name(field, preserve=names)] = _member(field, value[key], names=names)
    for key, inner in value.items():
        found = extension(message, key)
        if found is not None:
            ordered[key] = _member(found, inner, names=names)
    return ordered


def _member(field: FieldDescriptor, value: Any, *, names: bool) -> Any:
    entry = map_entry(field)
    if entry is not None:
        return _reversed({key: _one(entry[1], inner, names=names) for key, inner in value.items()})
    return (
        [_one(field, inner, names=names) for inner in value] if field.is_repeated else _one(field, value, names=names)
    )


def _one(field: FieldDescriptor, value: Any, *, names: bool) -> Any:
    if field.message_type is not None:
        return in_order(field.message_type, value, names=names)
    if field.enum_type is not None and field.enum_type.full_name == _NULL:
        return None
    return _number(value)


def _any(value: dict[str, Any], *, names: bool) -> dict[str, Any]:
    if not value:
        return value
    inner = descriptor_pool.Default().FindMessageTypeByName(value["@type"].rpartition("/")[2])
    rest = {key: one for key, one in value.items() if key != "@type"}
    if inner.full_name in SCALAR_MESSAGES | _FREE | {_ANY}:
        rest = {"value": in_order(inner, rest["value"], names=names)}
    else:
        rest = in_order(inner, rest, names=names)
    return {"@type": value["@type"], **rest}


def _free(value: Any) -> Any:
    if isinstance(value, dict):
        return _reversed({key: _free(inner) for key, inner in value.items()})
    return [_free(inner) for inner in value] if isinstance(value, list) else _number(value)


def _number(value: Any) -> Any:
    """Returns a whole number as an integer, if it prints without an exponent; not -0.0, whose sign would be lost."""
    if not isinstance(value, float) or not value.is_integer() or abs(value) >= _EXPONENT:
        return value
    return value if value == 0 and copysign(1, value) < 0 else int(value)


def _reversed(entries: dict[str, Any]) -> dict[str, Any]:
    """Returns the entries of a map in the order of the wire, which upb writes from the last one to the first."""
    return dict(reversed(entries.items()))
