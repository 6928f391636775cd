"""The JSON of map keys and of default values, for a field that is printed alone. It knows no messages."""

from __future__ import annotations

import orjson
from google.protobuf.descriptor import FieldDescriptor

from .options import JsonOptions


def map_key(key: object) -> str:
    """Returns a map's key as JSON writes it: always a string."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def default_value(field: FieldDescriptor, options: JsonOptions) -> bytes:
    """Returns the JSON of a scalar's default value, for a field without presence."""
    if field.enum_type is not None and field.enum_type.full_name == "google.protobuf.NullValue":
        return b"null"
    if field.enum_type is not None and not options.enums_as_ints:
        return orjson.dumps(next(one.name for one in field.enum_type.values if one.number == field.default_value))
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return b'"0"'
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return b"0"
    return b'""' if field.type == FieldDescriptor.TYPE_BYTES else orjson.dumps(field.default_value)
