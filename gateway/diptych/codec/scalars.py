"""Converts one value of one field to Python: text from a path, a query or a form, and JSON scalars.

It knows no message as a whole. Text follows the proto3 JSON mapping too.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

Value = Any
Reader = Callable[[Any], Value]


class UnknownEnumName(ValueError):
    """A text that is the name of no value of an enum; the policy `ignore` passes over it."""


_INTEGER = re.compile(r"-?[0-9]+")
# What both JSON parsers accept as a quoted integer: Python's int() syntax, without surrounding spaces.
_QUOTED_INTEGER = re.compile(r"[+-]?\d+(?:_\d+)*")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)(={0,2})")
# RFC 3339 section 5.6, with the protobuf mapping's nine digits; the parser refuses dates that do not exist.
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DURATION = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{0,9})?s")
_FIELD_MASK = re.compile(r"[^_]*")
_ENUM_NAMES = 20  # the most that an error lists
_NO_ENUM = 2**31
_FLOAT_MAX = 3.4028234663852886e38
# Halfway to the next float: a number that would round above the largest float is refused, as in protobuf.
_FLOAT_LIMIT = 3.4028235677973366e38

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: ("int32", -(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: ("int64", -(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: ("uint32", 0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: ("uint64", 0, 2**64 - 1),
}


def text_reader(field: FieldDescriptor) -> Reader:
    """Returns a function from text to one value of `field` (one element of a repeated field).

    It raises ValueError that says what the field accepts, without the value sent, which may be long or secret.
    """
    kind = field.cpp_type
    if field.message_type is not None:
        return _message_reader(field.message_type)
    if field.enum_type is not None:
        return _enum_reader(field.enum_type)
    if kind in _RANGES:
        name, low, high = _RANGES[kind]
        return lambda text: _integer(text, name, low, high)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return _boolean
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        single = kind == FieldDescriptor.CPPTYPE_FLOAT
        return lambda text: _number(text, single=single)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return from_base64
    return _string


def json_reader(field: FieldDescriptor) -> Reader:
    """Returns a function from a parsed JSON value to one value of `field`; it raises ValueError like `text_reader`'s.

    `field` must not be a message with a free JSON form. Only `diagnose` uses it.
    """
    from_text = text_reader(field)
    kind = field.cpp_type
    if kind in _RANGES and field.enum_type is None:
        name, low, high = _RANGES[kind]
        return lambda value: _json_integer(value, name, low, high)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return _json_boolean
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        single = kind == FieldDescriptor.CPPTYPE_FLOAT
        return lambda value: _json_number(value, single=single)
    if field.enum_type is not None:
        return _json_enum_reader(field.enum_type)
    if field.message_type is not None:
        return message_json_reader(field.message_type)
    return lambda value: from_text(_json_string(value))


def message_json_reader(message: Descriptor) -> Reader:
    """Returns the same for a message whose JSON form is a scalar: Timestamp, Duration, FieldMask or a wrapper."""
    inner = message.fields_by_name.get("value")
    if inner is not None:
        return json_reader(inner)
    from_text = _message_reader(message)
    return lambda value: from_text(_json_string(value))


def from_base64(text: str) -> bytes:
    """Decodes base64 or base64url, with or without padding."""
    form = _BASE64.fullmatch(text)
    stripped = text.rstrip("=")
    if form is None or len(stripped) % 4 == 1 or len(form[1]) > -len(stripped) % 4:
        raise ValueError("expected base64 or base64url")
    try:
        return base64.b64decode(stripped.translate(_URL_SAFE) + "=" * (-len(stripped) % 4), validate=True)
    except binascii.Error:
        raise ValueError("expected base64 or base64url") from None


_URL_SAFE = str.maketrans("-_", "+/")


def _string(text: str) -> str:
    return text


def _integer(text: str, name: str, low: int, high: int) -> int:
    if not _INTEGER.fullmatch(text) or len(text) > 20:
        raise ValueError(f"expected an integer ({name})")
    return _within(int(text), name, low, high)


def _within(value: int, name: str, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"out of range for {name}")
    return value


def _boolean(text: str) -> bool:
    if text in ("true", "false"):
        return text == "true"
    raise ValueError("expected true or false")


_NAMED_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _number(text: str, *, single: bool) -> float:
    if text in _NAMED_NUMBERS:
        return _NAMED_NUMBERS[text]
    if not _NUMBER.fullmatch(text):
        raise ValueError("expected a number, NaN, Infinity or -Infinity")
    return _finite(float(text), single=single)


def _finite(value: float, *, single: bool) -> float:
    if math.isinf(value) or (single and abs(value) >= _FLOAT_LIMIT):
        raise ValueError(f"out of range for {'float' if single else 'double'}")
    return max(-_FLOAT_MAX, min(_FLOAT_MAX, value)) if single else value


def _enum_reader(enum: EnumDescriptor) -> Reader:
    read = _json_enum_reader(enum)

    def read_text(text: str) -> Value:
        if not _INTEGER.fullmatch(text):
            return read(text)
        return read(int(text) if len(text) < 12 else _NO_ENUM)  # Python bounds the digits of an integer that it parses

    return read_text


def _json_enum_reader(enum: EnumDescriptor) -> Reader:
    """Returns a reader of an enum value by name or by number; a JSON string is never a number."""
    by_name = {name: value.number for name, value in enum.values_by_name.items()}
    closed = frozenset(enum.values_by_number) if enum.is_closed else None
    named = ", ".join([*by_name][:_ENUM_NAMES]) + (", …" if len(by_name) > _ENUM_NAMES else "")

    def read(value: object) -> int:
        if isinstance(value, str):
            if value in by_name:
                return by_name[value]
            raise UnknownEnumName(f"expected one of {named}, or its number")
        if isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31:
            if closed is None or value in closed:
                return value
        elif not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"expected an enum name or number, got {json_name(value)}")
        raise ValueError(f"expected one of {named}, or its number")

    return read


def _message_reader(message: Descriptor) -> Reader:
    made: type[Message] = message_factory.GetMessageClass(message)
    name = message.full_name
    if name in _TEXT_FORMS:
        form, expected = _TEXT_FORMS[name]

        def read(text: str) -> Message:
            value = made()
            if not form.fullmatch(text):
                raise ValueError(expected)
            try:
                value.FromJsonString(text)  # type: ignore[attr-defined]  # a well-known type has it
            except (ValueError, OverflowError):
                raise ValueError(expected) from None
            return value

        return read
    inner = text_reader(message.fields_by_name["value"])
    return lambda text: made(value=inner(text))


_TEXT_FORMS = {
    "google.protobuf.Timestamp": (_TIMESTAMP, "expected an RFC 3339 timestamp such as 2026-01-31T12:00:00Z"),
    "google.protobuf.Duration": (_DURATION, "expected seconds with the suffix s, such as 1.5s"),
    "google.protobuf.FieldMask": (_FIELD_MASK, "expected field paths in lowerCamelCase, separated by commas"),
}


def _json_integer(value: object, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected an integer ({name}), got {json_name(value)}")
    if isinstance(value, str):
        if len(value) <= 40 and _QUOTED_INTEGER.fullmatch(value):
            value = int(value)
        elif len(value) <= 40 and _NUMBER.fullmatch(value):
            value = float(value)
        else:
            raise ValueError(f"expected an integer ({name})")
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError(f"expected an integer ({name})")
        value = int(value)
    return _within(value, name, low, high)


def _json_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {json_name(value)}")
    return value


def _json_number(value: object, *, single: bool) -> float:
    if isinstance(value, str):
        return _number(value, single=single)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {json_name(value)}")
    try:
        return _finite(float(value), single=single)
    except OverflowError:
        raise ValueError("out of range for double") from None


def _json_string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, got {json_name(value)}")
    return value


def json_name(value: object) -> str:
    """Returns the JSON type of a parsed value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
