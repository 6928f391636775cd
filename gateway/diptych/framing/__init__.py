"""Writes a stream of messages over HTTP: a JSON array, NDJSON, or Server-Sent Events.

Pure: a framing converts encoded elements to bytes. A failed stream never looks complete: it ends in its error, and only
`end` completes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..media import ALIASES, ARRAY, NDJSON, RESPONSES, SSE
from ..status import Code, error


class Framing(Protocol):
    """Writes one stream; it keeps state, so each stream needs its own."""

    media: str
    heartbeat: bytes
    """Sent while idle."""
    opening: bytes
    """Sent with the response's head if that goes out before the first message."""

    def messages(self, elements: Sequence[bytes], ids: Sequence[str] | None = None) -> bytes:
        """Encodes the next elements; `ids` are their event ids in SSE, instead of numbers."""

    def end(self) -> bytes:
        """Encodes the end of a complete stream."""

    def failure(self, failed: bytes) -> bytes:
        """Encodes the end of a stream that failed after it began; the response then ends as any other."""


class ArrayWriter:
    """One JSON array, as Google's APIs send streams; it is valid JSON once complete."""

    media, opening = ARRAY, b""
    heartbeat = b"\n"  # insignificant between elements (RFC 8259 section 2)

    def __init__(self) -> None:
        self._begun = False

    def messages(self, elements: Sequence[bytes], ids: Sequence[str] | None = None) -> bytes:
        opening = b",\n" if self._begun else b"["
        self._begun = True
        return opening + b",\n".join(elements)

    def end(self) -> bytes:
        return b"]" if self._begun else b"[]"

    def failure(self, failed: bytes) -> bytes:
        return self.messages([failed])


class LinesWriter:
    """One message per line."""

    media, opening = NDJSON, b""
    heartbeat = b"\n"  # an empty line, as CouchDB's _changes and Twitter's streams send; NDJSON's readers ignore it

    def messages(self, elements: Sequence[bytes], ids: Sequence[str] | None = None) -> bytes:
        return b"\n".join(elements) + b"\n"

    def end(self) -> bytes:
        return b""

    def failure(self, failed: bytes) -> bytes:
        return failed + b"\n"


class EventsWriter:
    """Server-Sent Events (HTML Living Standard, section 9.2).

    `retry` is how many seconds a client waits before it reconnects; None leaves that to the client.
    """

    media = SSE
    heartbeat = opening = b": keep-alive\n\n"

    def __init__(self, retry: float | None = None) -> None:
        self._id = 0
        self._opening = b"" if retry is None else b"retry: %d\n" % round(retry * 1000)

    def _opened(self, events: bytes) -> bytes:
        """Returns the events, behind the field `retry` if they are the first: it may stand in any event."""
        opening, self._opening = self._opening, b""
        return opening + events

    def messages(self, elements: Sequence[bytes], ids: Sequence[str] | None = None) -> bytes:
        if ids is None:
            first = self._id + 1
            self._id += len(elements)
            numbered = [b"id: %d\nevent: message\ndata: %b\n\n" % event for event in enumerate(elements, first)]
            return self._opened(b"".join(numbered))
        events = zip(map(_id_line, ids), elements, strict=True)
        return self._opened(b"".join([b"%bevent: message\ndata: %b\n\n" % event for event in events]))

    def end(self) -> bytes:
        return self._opened(b"event: end\ndata: {}\n\n")

    def failure(self, failed: bytes) -> bytes:
        return self._opened(b"event: error\ndata: %b\n\n" % failed)


def _id_line(name: str) -> bytes:
    """Returns an empty line for an invalid id: the client keeps the previous one, and the stream stays well-formed."""
    return b"" if not name or not _ID_UNFIT.isdisjoint(name) else b"id: %b\n" % name.encode()


# Clients ignore an id that contains NUL, and a line break ends it (HTML section 9.2.6).
_ID_UNFIT = frozenset("\0\r\n")

_FRAMINGS: dict[str, type[ArrayWriter] | type[LinesWriter]] = {ARRAY: ArrayWriter, NDJSON: LinesWriter}


def choose(accept: bytes | None, retry: float | None = None) -> Framing:
    """Returns the framing that a client prefers (RFC 9110 section 12.5.1); `retry` is that of `EventsWriter`.

    A wildcard and a missing header mean the JSON array. Raises INVALID_ARGUMENT with http 406 if the client accepts
    none of the three.
    """
    if not accept or accept == b"*/*":
        return ArrayWriter()
    text = accept.decode("latin-1")
    best: tuple[float, int, str] | None = None
    for media, quality, rank in _ranges(text):
        if quality <= 0:
            continue
        name = ARRAY if media in ("*/*", "application/*") else SSE if media == "text/*" else ALIASES.get(media, media)
        if name == SSE or name in _FRAMINGS:
            wild = media.endswith("*")
            candidate = (quality, -rank - (1000 if wild else 0), name)
            best = candidate if best is None or candidate > best else best
    if best is None:
        raise error(Code.INVALID_ARGUMENT, f"unsupported accept {text!r}; expected one of {RESPONSES}", http=406)
    name = best[2]
    return EventsWriter(retry) if name == SSE else _FRAMINGS[name]()


def _ranges(accept: str) -> list[tuple[str, float, int]]:
    found = []
    for rank, part in enumerate(accept.split(",")[:50]):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        found.append((media.lower(), quality, rank))
    return found
