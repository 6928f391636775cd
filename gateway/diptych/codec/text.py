"""Parses JSON text to plain values, with errors that name line and column; it knows no messages."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import orjson

from ..status import Violation, invalid


def parse_json(body: bytes, path: str = "") -> object:
    """Parses a body to plain JSON values. Raises INVALID_ARGUMENT with line and column if it is not JSON.

    `path` is the field whose value the body is.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(Violation(path, _explain(body, error))) from None
    # orjson reads -0 as the integer 0, which has no sign.
    return json.loads(body, parse_int=_integer) if _MINUS_ZERO.search(body) else value


def member_names(body: bytes) -> set[str] | None:
    """Returns the names of all members at any depth, or None if an object has one twice. The body must be JSON."""
    # A name is followed by `":` unless there is space between. As many of these as the parsed objects have members mean
    # that no member was dropped; more can also be within a string.
    if _SPACED_COLON.search(body) is None:
        try:
            names, count = _members(orjson.loads(body))
        except orjson.JSONDecodeError:  # of what json reads and orjson does not, such as half of a surrogate pair
            return _checked_names(body)
        if count == body.count(b'":'):
            return names
    return _checked_names(body)


def _members(value: object) -> tuple[set[str], int]:
    """Returns the names of the members of all objects in a value, and how many members there are."""
    names: set[str] = set()
    count, left = 0, [value]
    while left:
        value = left.pop()
        if type(value) is dict:
            names.update(value)
            count += len(value)
            left.extend([inner for inner in value.values() if type(inner) is dict or type(inner) is list])
        elif type(value) is list:
            left.extend([inner for inner in value if type(inner) is dict or type(inner) is list])
    return names, count


def _checked_names(body: bytes) -> set[str] | None:
    """Finds what `member_names` returns in all cases, at three times the cost."""
    names: set[str] = set()
    unique = True

    def add(pairs: list[tuple[str, object]]) -> None:
        nonlocal unique
        own = {name for name, _ in pairs}
        unique = unique and len(own) == len(pairs)
        names.update(own)

    json.loads(body, object_pairs_hook=add, parse_int=float)  # Python bounds the digits of its integers
    return names if unique else None


def repeated_member(body: bytes, path: str = "") -> str | None:
    """Returns the path of a member that its object has twice, or None. The body must be JSON, and `path` is its own."""

    def made(pairs: list[tuple[str, object]]) -> _Object:
        found = _Object(pairs)
        if len(found) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            found.twice = next(name for name, _ in pairs if counts[name] > 1)
        return found

    if member_names(body) is not None:
        return None
    return next(_twice(json.loads(body, object_pairs_hook=made, parse_int=float), path), None)


_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')


class _Object(dict[str, object]):
    """An object, and the first of its members that stands twice."""

    twice: str | None = None


def _twice(value: object, path: str) -> Iterator[str]:
    if isinstance(value, _Object):
        if value.twice is not None:
            yield _below(path, value.twice)
        for name, inner in value.items():
            yield from _twice(inner, _below(path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _twice(inner, f"{path}[{index}]")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class _MinusZero(int):
    """The integer -0, which a floating-point field takes with its sign."""

    def __float__(self) -> float:
        return -0.0


_ZERO = _MinusZero()
# It may also find text in a string, which costs only time.
_MINUS_ZERO = re.compile(rb"-0(?![0-9.eE])")
_LONGEST_INTEGER = 20


def _integer(text: str) -> object:
    if text == "-0":
        return _ZERO
    return int(text) if len(text) <= _LONGEST_INTEGER else orjson.loads(text)


def _explain(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        str(body, "utf-8")  # orjson's own message for invalid UTF-8 names no position
    except UnicodeDecodeError as wrong:
        return f"the body is not valid UTF-8: invalid byte at offset {wrong.start}"
    return f"the body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}"
