"""One attempt of a call as a transport sees it, and what it gives back. Values only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

R = TypeVar("R")
_NAME = re.compile(r"[a-z0-9_.-]+")  # what gRPC allows
_OWN = frozenset(
    ("connection", "content-length", "content-type", "expect", "host", "te", "transfer-encoding", "upgrade")
)
Metadata = dict[str, str | bytes | list[bytes]]
"""Names in lower case. Several texts of a name are joined by `, ` (RFC 9110 section 5.2). Values of names that end in
`-bin` are bytes, and a list if there are several.
"""
Headers = Mapping[str, str | bytes | Sequence[str | bytes]]
"""Names of headers (gRPC: metadata) and their values, a list for several; bytes under names that end in `-bin`."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a call: seconds until its deadline, and what it sends besides messages."""

    timeout: float | None
    headers: tuple[tuple[str, str | bytes], ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Of a stream of requests, the fields that the path has, in case that there is no request."""
    reads_metadata: bool = True
    """Whether the metadata of the reply is needed. Over gRPC, reading it takes a twentieth of a call's time."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[R]):
    """The answer of a call with one response."""

    value: R
    metadata: Metadata
    trailing_metadata: Metadata
    """Over gRPC both are empty if the attempt's `reads_metadata` is False."""


def add(metadata: Metadata, name: str, value: str | bytes) -> None:
    """Adds a value to those that its name has."""
    known = metadata.get(name)
    if known is None:
        metadata[name] = value
    elif isinstance(value, str):
        metadata[name] = f"{known!s}, {value}"
    else:
        metadata[name] = [*([known] if isinstance(known, bytes) else known), value]


def pairs(headers: Headers) -> tuple[tuple[str, str | bytes], ...]:
    """Returns each value with its name. Raises TypeError and ValueError for what not both transports can send."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers are a mapping of names to values, not {type(headers).__name__}")
    found = []
    for name, values in headers.items():
        key = _key(name)
        for value in [values] if isinstance(values, str | bytes) or not isinstance(values, Sequence) else values:
            if not isinstance(value, str | bytes):
                raise TypeError(f"header {name!r}: values are text, or bytes, not {type(value).__name__}")
            if isinstance(value, str) and not (value.isascii() and value.isprintable()):
                raise ValueError(f"header {name!r} has characters that are not printable ASCII; use a name with -bin")
            if isinstance(value, str) and value.strip() != value:
                raise ValueError(f"header {name!r} has a space at an end of its value")
            if isinstance(value, bytes) is not key.endswith("-bin"):
                raise ValueError(f"header {name!r}: values are bytes if the name ends in -bin, and text if it does not")
            found.append((key, value))
    return tuple(found)


def _key(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a header's name is text, not {type(name).__name__}")
    key = name.lower()
    if not _NAME.fullmatch(key):
        raise ValueError(f"{name!r} is no name of a header: it may have ASCII letters, digits, `-`, `_` and `.`")
    if key in _OWN or key.startswith("grpc-"):
        raise ValueError(f"header {name!r} is the client's own; calls have arguments such as `timeout` instead")
    return key
