"""Finds what in a message, at any depth, the native JSON parser handles too leniently; computed at start-up.

It knows descriptors and no values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import OPAQUE_MESSAGES, written_name

# Numbers that may exceed the range of a double: a three-digit exponent, or very many digits.
_HUGE = re.compile(rb"[eE]\+?\d{3}|\d{200}")
_ANY = "google.protobuf.Any"
_FREE = OPAQUE_MESSAGES - {_ANY}


def reachable(message: Descriptor) -> Iterator[Descriptor]:
    """Yields the message and all messages below it once each, including map entries."""
    seen = {message.full_name}
    todo = [message]
    while todo:
        at = todo.pop()
        yield at
        if at.full_name in OPAQUE_MESSAGES:
            continue
        for field in at.fields:
            below = field.message_type
            if below is not None and below.full_name not in seen:
                seen.add(below.full_name)
                todo.append(below)


def fields(message: Descriptor) -> Iterator[FieldDescriptor]:
    """Yields the fields of the message and of all messages below it, without those whose JSON form is free."""
    for one in reachable(message):
        if one.full_name not in OPAQUE_MESSAGES:
            yield from one.fields


@cache
def holds_any(message: Descriptor) -> bool:
    """Returns whether there may be an Any below the message."""
    return any(one.full_name == _ANY for one in reachable(message))


@cache
def may_lack_fields(message: Descriptor) -> bool:
    """Returns whether a message may lack a required field, and so be impossible to serialize."""
    # An extension may have required fields too.
    return any(one.is_extendable for one in reachable(message)) or any(field.is_required for field in fields(message))


@cache
def has_ambiguous_names(message: Descriptor) -> bool:
    """Returns whether a name is the JSON name of one field and the proto name of another."""
    return any(written_name(field, preserve=True) != field.name for field in fields(message))


@cache
def unfit(message: Descriptor) -> Callable[[bytes], bool]:
    """Returns a function that finds whether the native parser is too lenient for a body.

    The native parser accepts infinite numbers in a Struct, and changes the type URL of an Any.
    """
    names = {one.full_name for one in reachable(message)}
    has_any, has_free = _ANY in names, not _FREE.isdisjoint(names)
    if has_any:
        return lambda body: b'"@type"' in body or b"\\u" in body or _HUGE.search(body) is not None
    if has_free:
        return lambda body: _HUGE.search(body) is not None
    return lambda _: False


@cache
def choosy(message: Descriptor) -> Callable[[set[str]], bool]:
    """Returns a function that finds whether a body whose members have these names may set a field or a oneof twice.

    The native parser keeps the last.
    """
    every = [*fields(message)]
    oneofs = {
        name
        for field in every
        if field.containing_oneof and len(field.containing_oneof.fields) > 1
        for name in (field.name, field.json_name)
    }
    others = {field.name: field.json_name for field in every if field.name != field.json_name}
    renamed = frozenset(others)
    extends = any(one.is_extendable for one in reachable(message))

    def is_choosy(names: set[str]) -> bool:
        if len(names & oneofs) > 1 or (extends and any(name.startswith("[") for name in names)):
            return True
        return not renamed.isdisjoint(names) and any(others[name] in names for name in names & renamed)

    return is_choosy
