"""Mutations of valid input: bytes, wire messages, JSON. Only a `Random` decides."""

from __future__ import annotations

import json
from random import Random
from typing import Any

_BYTES = (
    b"\x00",
    b"\xff",
    b"\r\n",
    b"\n",
    b" ",
    b"%00",
    b"%",
    b"../",
    b"{",
    b"}",
    b'"',
    b"\\",
    b"\xc0\x80",
    b"\xed\xa0\x80",
)
_SIZES = (
    0,
    1,
    127,
    128,
    255,
    2**14,
    2**16 - 1,
    2**16,
    2**24 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
STRINGS = (
    *("", "\x00", "\u202e", "\U0001f600", "a" * 300, "%2F", "..", "../../etc/passwd", "*", "**", ":", "a:b", "{x}"),
    *("NaN", "Infinity", "-Infinity", "1e400", "null", "true", "9223372036854775808", "-1", "0x10", "1_0"),
    *("2024-02-30T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0000-00-00", "315576000001s", "1s", "1.0000000001s"),
    *("a.b.c", "a..b", ".", "A_b", "====", "AA=", "_-_-", "type.googleapis.com/kitchen.v1.Dish", "\r\nx: y", "😀" * 50),
)
NUMBERS = (
    0,
    -1,
    1,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    1e308,
    0.1,
    -0.0,
    5e-324,
)


def size(dice: Random) -> int:
    """Returns a length that attackers would choose."""
    return dice.choice(_SIZES)


def garbage(dice: Random, most: int = 200) -> bytes:
    """Any bytes."""
    return dice.randbytes(dice.randrange(most + 1))


def mutated(dice: Random, data: bytes, times: int = 3) -> bytes:
    """Returns the bytes with one to `most` changes."""
    found = bytearray(data)
    for _ in range(dice.randint(1, times)):
        _change(dice, found)
    return bytes(found)


def _change(dice: Random, data: bytearray) -> None:
    at = dice.randrange(len(data) + 1)
    to = min(len(data), at + dice.choice((1, 2, 4, 16)))
    what = dice.randrange(7)
    if what == 0 and at < len(data):
        data[at] ^= 1 << dice.randrange(8)
    elif what == 1 and at < len(data):
        data[at] = dice.randrange(256)
    elif what == 2:
        data[at:at] = dice.choice(_BYTES)
    elif what == 3:
        del data[at:to]
    elif what == 4:
        data[at:at] = data[at:to] * dice.choice((1, 3, 40))
    elif what == 5:
        del data[at:]
    else:
        data[at:at] = garbage(dice, 12)


def varint(value: int) -> bytes:
    """Returns a protobuf varint of any length."""
    value &= 2**64 - 1
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def odd(dice: Random) -> Any:
    """Returns a JSON value that is rarely valid."""
    what = dice.randrange(8)
    if what == 0:
        return dice.choice((None, True, False, [], {}, [[]], {"": {}}))
    if what < 4:
        return dice.choice(STRINGS)
    if what < 6:
        return dice.choice(NUMBERS)
    return nested(dice.choice((3, 70, 2000)), dice.random() < 0.5) if what == 6 else [dice.choice(NUMBERS)] * 50


def nested(depth: int, arrays: bool) -> Any:
    """Returns a deeply nested value."""
    found: Any = 0
    for _ in range(depth):
        found = [found] if arrays else {"parts": found}
    return found


def text(value: Any) -> bytes:
    """Returns JSON, also of values nested deeper than Python's recursion limit."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 5000 + b"]" * 5000
