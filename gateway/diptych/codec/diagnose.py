"""The slow second pass over a body that was refused: which fields are wrong, by their paths, and why.

It runs only on failure (or where the native codec is missing) and makes no message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import OPAQUE_MESSAGES, by_any_name, did_you_mean, is_map, is_scalar
from ..status import Violation
from .scalars import json_name, json_reader, text_reader

# More would help nobody, and a body of a million wrong values must not make an answer of its size.
MOST = 20

_reader = lru_cache(maxsize=4096)(json_reader)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong; `unknown` where it is only a field nobody knows, which a policy may let pass."""

    violation: Violation
    unknown: bool = False


def diagnose(message: Descriptor, value: object) -> list[Finding]:
    """What is wrong with a parsed body as a `message`, at most `MOST` findings of each kind."""
    known: list[Finding] = []
    unknown: list[Finding] = []
    for finding in _message(message, value, ""):
        (unknown if finding.unknown else known).append(finding)
        if len(known) >= MOST:
            break
    return known + unknown[:MOST]


def _fault(path: str, reason: str) -> Finding:
    return Finding(Violation(path, reason))


def _message(message: Descriptor, value: object, path: str) -> Iterator[Finding]:
    if message.full_name in OPAQUE_MESSAGES:
        yield from _opaque(message, value, path)
        return
    if not isinstance(value, dict):
        yield _fault(path, f"an object is expected, not {json_name(value)}")
        return
    names = by_any_name(message)
    set_by: dict[str, str] = {}
    for key, inner in value.items():
        at = f"{path}.{key}" if path else key
        field = names.get(key)
        if field is None:
            reason = f"{message.full_name} has no such field{did_you_mean(message, key)}"
            yield Finding(Violation(at, reason), unknown=True)
            continue
        if inner is None and not _takes_null(field):
            continue  # null means absent
        oneof = field.containing_oneof
        if oneof is not None:
            other = set_by.setdefault(oneof.name, key)
            if other != key:
                yield _fault(at, f"only one of {other!r} and {key!r} may be set (oneof {oneof.name!r})")
        yield from _field(field, inner, at)


def _takes_null(field: FieldDescriptor) -> bool:
    message = field.message_type
    return not field.is_repeated and message is not None and message.full_name == "google.protobuf.Value"


def _field(field: FieldDescriptor, value: object, path: str) -> Iterator[Finding]:
    if is_map(field):
        if not isinstance(value, dict):
            yield _fault(path, f"an object is expected, not {json_name(value)}")
            return
        key_reader = text_reader(field.message_type.fields_by_name["key"])
        inner = field.message_type.fields_by_name["value"]
        for key, one in value.items():
            at = f"{path}[{key!r}]"
            try:
                key_reader(key)
            except ValueError as error:
                yield _fault(at, f"the key: {error}")
            yield from _one(inner, one, at)
    elif field.is_repeated:
        if not isinstance(value, list):
            yield _fault(path, f"an array is expected, not {json_name(value)}")
            return
        for index, one in enumerate(value):
            yield from _one(field, one, f"{path}[{index}]")
    else:
        yield from _one(field, value, path)


def _one(field: FieldDescriptor, value: object, path: str) -> Iterator[Finding]:
    message = field.message_type
    free = message is not None and message.full_name == "google.protobuf.Value"
    if value is None and not free:
        yield _fault(path, "null is not allowed as an element")
    elif message is not None and not is_scalar(field):
        yield from _message(message, value, path)
    else:
        try:
            _reader(field)(value)
        except ValueError as error:
            yield _fault(path, str(error))


def _opaque(message: Descriptor, value: object, path: str) -> Iterator[Finding]:
    if message.full_name == "google.protobuf.Any" and isinstance(value, dict) and value:
        url = value.get("@type")
        if not isinstance(url, str):
            yield _fault(f"{path}.@type" if path else "@type", "the message's type URL is expected")
            return
        try:
            inner = descriptor_pool.Default().FindMessageTypeByName(url.rpartition("/")[2])
        except KeyError:
            yield _fault(f"{path}.@type" if path else "@type", f"no message type {url!r} is known here")
            return
        rest = {key: one for key, one in value.items() if key != "@type"}
        special = inner.full_name.startswith("google.protobuf.") and set(rest) == {"value"}
        if not special:
            yield from _message(inner, rest, path)
            return
    try:
        json_format.ParseDict(value, message_factory.GetMessageClass(message)())
    except (json_format.ParseError, AttributeError, TypeError, ValueError, RecursionError):
        yield _fault(path, f"{json_name(value)} does not fit {message.full_name}")
