"""What a message holds, at any depth, that its JSON needs special care for; worked out once, at start-up.

It knows descriptors and no values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import OPAQUE_MESSAGES

# Numbers that may be beyond every double: three digits of exponent, or very many digits.
_HUGE = re.compile(rb"[eE]\+?\d{3}|\d{200}")
_ANY = "google.protobuf.Any"
_FREE = OPAQUE_MESSAGES - {_ANY}


def reachable(message: Descriptor) -> Iterator[Descriptor]:
    """The message and every message below it, each once; map entries are messages too."""
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
    """Every field of the message and of those below it, but for those whose JSON form is free."""
    for one in reachable(message):
        if one.full_name not in OPAQUE_MESSAGES:
            yield from one.fields


@cache
def unfit(message: Descriptor) -> Callable[[bytes], bool]:
    """Whether a body must not be left to the native parser, which is lenient there.

    It takes an infinite number in a Struct, and gives an Any another type URL than the client's.
    """
    names = {one.full_name for one in reachable(message)}
    has_any, has_free = _ANY in names, not _FREE.isdisjoint(names)
    if has_any:
        return lambda body: b'"@type"' in body or b"\\u" in body or _HUGE.search(body) is not None
    if has_free:
        return lambda body: _HUGE.search(body) is not None
    return lambda _: False


@cache
def choosy(message: Descriptor) -> Callable[[bytes], bool]:
    """Whether a body may set two members of one oneof, where the native parser would let the last win."""
    oneofs = [field for field in fields(message) if field.containing_oneof and len(field.containing_oneof.fields) > 1]
    if not oneofs:
        return lambda _: False
    names = tuple({b'"%s"' % name.encode() for one in oneofs for name in (one.name, one.json_name)})

    def is_choosy(body: bytes) -> bool:
        met = 0
        for name in names:  # a loop, since a generator takes four times as long
            if name in body:
                met += 1
        return met > 1 or b"\\u" in body

    return is_choosy
