"""Shortens numbers in printed JSON: 32-bit floats to the fewest digits that parse to the same float, and 1.0 to 1.

The native printer writes a float as the equal double. This module edits its text; it reads no message's values.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import cache
from typing import Literal

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from .reach import fields, reachable

_SINGLE = struct.Struct("<f")
# Nine digits identify any float, so shorter numbers need no change.
_LONG = re.compile(rb"-?\d[\d.]{8,}(?:e[+-]?\d+)?")
# A possible long number; a match inside a string only costs time.
_MAYBE_LONG = re.compile(rb'(?:\A|":|[\[,])-?\d[\d.]{8,}')
_UNSURE = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue", "FloatValue"))
_NUMBER_WRAPPERS = frozenset(f"google.protobuf.{name}Value" for name in ("Double", "Float", "Int32", "UInt32"))
_NUMBERS = frozenset(
    (
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_ENUM,  # a number that has no name
        FieldDescriptor.CPPTYPE_FLOAT,
        FieldDescriptor.CPPTYPE_DOUBLE,
    )
)

Printer = Callable[[Message], bytes]


def shortened(message: Descriptor, show: Printer, slow: Printer, *, names: bool) -> Printer:
    """Returns `show` with short floats. `names` means that fields are printed by their proto names.

    Floats are found in the text by their fields' names. If names are ambiguous (another field has the same name, or a
    map of numbers, a Struct or an extension may have such a key), a text with a possible long float is printed again by
    `slow`.
    """
    members = _members(message, names=names)
    if members is None:
        return show
    if isinstance(members, str):

        def careful(made: Message) -> bytes:
            text = show(made)
            return slow(made) if _MAYBE_LONG.search(text) else text

        return careful
    return lambda made: members.sub(_member, show(made))


_FRACTION = rb"(?<!-0)\.0(?=[,\]}]|\Z)"  # -0.0 keeps its form, since many parsers read -0 as an integer without a sign
_MAYBE_FRACTION = re.compile(_FRACTION)
_STRING_OR_FRACTION = re.compile(rb'("(?:[^"\\]++|\\.)*+")|' + _FRACTION)


def without_fractions(show: Printer) -> Printer:
    """Returns `show` with whole numbers written without a fraction."""

    def encode(message: Message) -> bytes:
        text = show(message)
        # Strings are passed over, as one may have such text.
        return _STRING_OR_FRACTION.sub(_string, text) if _MAYBE_FRACTION.search(text) else text

    return encode


def _string(found: re.Match[bytes]) -> bytes:
    return found[1] or b""


@cache
def _members(message: Descriptor, *, names: bool) -> re.Pattern[bytes] | Literal["ambiguous"] | None:
    """Returns a pattern of the members with a long float; None if there are no floats.

    "ambiguous" means that names do not tell which members are floats.
    """
    every = list(fields(message))
    printed = {field: field.name if names else field.json_name for field in every}
    floats = [field for field in every if _is_float(field)]
    below = {one.full_name for one in reachable(message)}
    has_extensions = any(one.is_extendable for one in reachable(message))
    if not floats and "google.protobuf.Any" not in below and not has_extensions:
        return None
    called = {printed[field] for field in floats}
    # A map's values are under the client's keys.
    if (
        has_extensions
        or not _UNSURE.isdisjoint(below)
        or any(
            (field.containing_type.GetOptions().map_entry and field.number == 2 and _is_number(field))
            or (printed[field] in called and not _is_float(field))
            for field in every
            if field.containing_type is not None
        )
    ):
        return "ambiguous"
    # Quotes inside JSON strings are escaped, so an unescaped "name": is always a member.
    alternatives = b"|".join(re.escape(name.encode()) for name in sorted(called))
    # A single literal prefix is searched at memchr speed.
    each = b"(?:%s)" % alternatives if len(called) > 1 else alternatives
    return re.compile(rb'("%s":)(%s|\[[^\]]*\])' % (each, _LONG.pattern))


def _is_float(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_FLOAT


def _is_number(field: FieldDescriptor) -> bool:
    """Returns whether JSON has a number for the field, without quotes."""
    if field.message_type is not None:
        return field.message_type.full_name in _NUMBER_WRAPPERS
    return field.cpp_type in _NUMBERS


def _member(found: re.Match[bytes]) -> bytes:
    name, value = found.groups()
    return name + (_LONG.sub(_element, value) if value.startswith(b"[") else _shortest(value))


def _element(found: re.Match[bytes]) -> bytes:
    return _shortest(found.group())


def _shortest(text: bytes) -> bytes:
    value = float(text)
    for form in ("%.6g", "%.7g", "%.8g", "%.9g"):
        short = form % value
        try:
            if _SINGLE.unpack(_SINGLE.pack(float(short)))[0] == value:
                return repr(float(short)).encode()
        except OverflowError:  # the largest float, rounded up
            break
    return text
