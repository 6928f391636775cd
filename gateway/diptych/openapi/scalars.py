"""Schemas of scalars and well-known types, exact in range and syntax.

`codec` accepts every text that matches a pattern here, and every text that it prints matches. This module knows no
user's message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

Json = dict[str, Any]


def ref(name: str) -> Json:
    """Returns a reference to a component schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def up_to(limit: int) -> str:
    """Returns a regular expression for the integers from 1 to `limit`, without leading zeros."""
    digits = str(limit)
    last = len(digits) - 1
    cases = [f"[1-9][0-9]{{0,{last - 1}}}"] if last else []
    for index, digit in enumerate(digits):
        lowest, below = "1" if index == 0 else "0", chr(ord(digit) - 1)
        if digit > lowest:
            chosen = lowest if lowest == below else f"[{lowest}-{below}]"
            rest = f"[0-9]{{{last - index}}}" if index < last else ""
            cases.append(digits[:index] + chosen + rest)
    return "|".join((*cases, digits))


def whole(low: int, high: int) -> str:
    """Returns a pattern for the integers from `low`, which is 0 or -`high` - 1, to `high`, as JSON strings."""
    if low == 0:
        return f"^(?:0|{up_to(high)})$"
    return f"^(?:0|-?(?:{up_to(high)})|{low})$"


# The longest google.protobuf.Duration: 10,000 years, in seconds.
_LONGEST = 315_576_000_000
_DURATION = rf"^(?:-?(?:0|{up_to(_LONGEST - 1)})(?:\.[0-9]{{1,9}})?|-?{_LONGEST}(?:\.0{{1,9}})?)s$"

# In the first and the last year, an offset could exceed the range of google.protobuf.Timestamp, so only Z is allowed.
_YEAR = "000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8]"
_DAY = "(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_HOUR = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_HOUR}:[0-5][0-9](?:\.[0-9]{{1,9}})?"
_TIMESTAMP = f"^(?:(?:{_YEAR})-{_DAY}T{_TIME}(?:Z|[+-]{_HOUR})|(?:0001|9999)-{_DAY}T{_TIME}Z)$"

# protobuf requires of a mask only that it is not snake_case; "*" is valid, for instance.
_MASK = r"^[^_]*$"

# The shortest decimal of the largest float, which is slightly above its exact value.
FLOAT_MAX = 3.4028235e38
DOUBLE_MAX = 1.7976931348623157e308


def _number(format_: str, limit: float) -> Json:
    return {
        "description": "A number, or the name of a value that JSON numbers cannot express.",
        "examples": [0],
        "anyOf": [
            {"type": "number", "format": format_, "minimum": -limit, "maximum": limit},
            {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]},
        ],
    }


INT64, UINT64, FLOAT, DOUBLE, BYTES = "Int64", "UInt64", "Float", "Double", "Bytes"

# Shared components, since their patterns are long and would be repeated at every field.
SHARED: Mapping[str, Json] = {
    INT64: {
        "type": "string",
        "format": "int64",
        "examples": ["0"],
        "pattern": whole(-(2**63), 2**63 - 1),
        "description": "A signed 64-bit integer, as a string, since JSON numbers lose precision above 2^53.",
    },
    UINT64: {
        "type": "string",
        "format": "uint64",
        "examples": ["0"],
        "pattern": whole(0, 2**64 - 1),
        "description": "An unsigned 64-bit integer, as a string, since JSON numbers lose precision above 2^53.",
    },
    FLOAT: _number("float", FLOAT_MAX),
    DOUBLE: _number("double", DOUBLE_MAX),
    BYTES: {
        "type": "string",
        "format": "byte",
        "contentEncoding": "base64",
        "examples": ["aGVsbG8="],
        "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        "description": "Bytes in base64.",
    },
    "google.protobuf.Timestamp": {
        "type": "string",
        "format": "date-time",
        "pattern": _TIMESTAMP,
        "examples": ["2026-01-31T12:00:00Z"],
        "description": "A point in time in RFC 3339 format, with up to nine fractional digits.",
    },
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": _DURATION,
        "examples": ["1.5s"],
        "description": "A duration in seconds, with up to nine fractional digits, followed by `s`.",
    },
    "google.protobuf.FieldMask": {
        "type": "string",
        "pattern": _MASK,
        "examples": ["title,createTime"],
        "description": "Field paths in lowerCamelCase, separated by commas.",
    },
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True, "description": "Any JSON object."},
    "google.protobuf.Value": {"description": "Any JSON value."},
    "google.protobuf.ListValue": {"type": "array", "items": {}, "description": "Any JSON array."},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {
            "@type": {
                "type": "string",
                "description": "The message type: `type.googleapis.com/` and its full name.",
            }
        },
        "additionalProperties": True,
        "description": "Any message type that the server knows, with `@type`; an empty object if unset.",
    },
}

_NUMBERS: Mapping[int, Json] = {
    FieldDescriptor.CPPTYPE_INT32: {
        "type": "integer",
        "format": "int32",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
        "examples": [0],
    },
    FieldDescriptor.CPPTYPE_UINT32: {
        "type": "integer",
        "format": "uint32",
        "minimum": 0,
        "maximum": 2**32 - 1,
        "examples": [0],
    },
}
_NAMED: Mapping[int, str] = {
    FieldDescriptor.CPPTYPE_INT64: INT64,
    FieldDescriptor.CPPTYPE_UINT64: UINT64,
    FieldDescriptor.CPPTYPE_FLOAT: FLOAT,
    FieldDescriptor.CPPTYPE_DOUBLE: DOUBLE,
}
_KEYS: Mapping[int, str] = {
    FieldDescriptor.CPPTYPE_INT32: whole(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: whole(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: whole(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: whole(0, 2**64 - 1),
}


def shared_name(field: FieldDescriptor) -> str | None:
    """Returns the shared component for a scalar field (not an enum), or None if its schema is inline."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return BYTES
    return _NAMED.get(field.cpp_type)


def plain(field: FieldDescriptor) -> Json:
    """Returns the inline schema of a scalar field that is not an enum."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    return dict(_NUMBERS.get(field.cpp_type, {"type": "string"}))


def key(field: FieldDescriptor) -> Json | None:
    """Returns the schema of a map's keys, which JSON writes as strings; None if any string is valid."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"enum": ["true", "false"]}
    pattern = _KEYS.get(field.cpp_type)
    return {"pattern": pattern} if pattern else None
