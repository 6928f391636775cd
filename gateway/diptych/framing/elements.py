"""A stream of JSON messages as a client sends it, taken apart while it arrives: NDJSON, or one JSON array.

Pure: bytes in, the bytes of whole elements out. Whether an element is JSON is for whoever parses it.
"""

from __future__ import annotations

import re
from typing import Protocol

from ..status import Code, StatusError, Violation, error, invalid

_SPACE = b" \t\r\n"
# Outside of strings: what opens, closes or separates. RFC 8259 section 2.
_STRUCTURAL = re.compile(rb'["\[\]{},]')
# The rest of a string up to its closing quote, or to the end of what is there; possessive, so that it never backtracks.
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_OPEN, _CLOSE = b"[{", b"]}"


class Splitter(Protocol):
    """One request body's reader."""

    def feed(self, data: bytes) -> list[bytes]:
        """The elements that are complete now. What is wrong is raised by the next call, after those before it."""

    def end(self) -> list[bytes]:
        """The last element, where only the end shows that it is complete. Raises INVALID_ARGUMENT for a broken end."""


def too_long(limit: int) -> StatusError:
    """One element is over the limit of a message."""
    return error(Code.RESOURCE_EXHAUSTED, f"a message of the stream is larger than {limit} bytes", http=413)


class LinesSplitter:
    """NDJSON: a message a line; lines of white space are passed over. `limit` in bytes a line."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0
        self._fault: StatusError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        *whole, rest = data.split(b"\n")
        if whole:
            whole[0] = b"".join((*self._parts, whole[0]))
            self._parts, self._held = [], 0
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
        found: list[bytes] = []
        for line in whole:
            if len(line) > self._limit:
                self._fault = too_long(self._limit)
                return found
            if line.strip(_SPACE):
                found.append(line)
        if self._held > self._limit:
            self._fault = too_long(self._limit)
        return found

    def end(self) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        last = b"".join(self._parts)
        return [last] if last.strip(_SPACE) else []


class ArraySplitter:
    """One JSON array, element by element, or one value that is no array and so the only element.

    `limit` in bytes an element.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0  # how far the buffer has been looked through
        self._depth = 0
        self._in_string = False
        self._state = self._before
        self._elements = 0
        self._fault: StatusError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        self._buffer += data
        found: list[bytes] = []
        try:
            self._state(found)
            if len(self._buffer) > self._limit:
                raise too_long(self._limit)
        except StatusError as fault:
            self._fault = fault
        return found

    def end(self) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        if self._state == self._single:
            return [bytes(self._buffer)]
        if self._state == self._inside:
            raise invalid(Violation("", f"the JSON array ends after {self._elements} elements without its ]"))
        return []

    def _before(self, found: list[bytes]) -> None:
        stripped = self._buffer.lstrip(_SPACE)
        if not stripped:
            self._buffer.clear()
            return
        self._buffer = stripped
        if stripped[:1] == b"[":
            del self._buffer[:1]
            self._state = self._inside
        else:
            self._state = self._single
        self._state(found)

    def _single(self, found: list[bytes]) -> None:
        return

    def _after(self, found: list[bytes]) -> None:
        if self._buffer.strip(_SPACE):
            raise invalid(Violation("", "something follows the JSON array"))
        self._buffer.clear()

    def _inside(self, found: list[bytes]) -> None:
        buffer, start, at = self._buffer, 0, self._at
        while True:
            if self._in_string:
                matched = _STRING.match(buffer, at)
                at = matched.end() if matched is not None else at
                # A backslash at the end of what is there waits for what it escapes.
                if at >= len(buffer) or buffer[at] != 0x22:
                    break
                self._in_string = False
                at += 1
            structural = _STRUCTURAL.search(buffer, at)
            if structural is None:
                at = len(buffer)
                break
            at = structural.end()
            kind = structural[0]
            if kind == b'"':
                self._in_string = True
            elif kind in _OPEN:
                self._depth += 1
            elif self._depth:
                self._depth -= kind in _CLOSE
            elif kind == b"}":
                raise invalid(Violation("", "the JSON array has a } without its {"))
            else:
                self._element(bytes(buffer[start : at - 1]), found, last=kind == b"]")
                start = at
                if kind == b"]":
                    self._state = self._after
                    break
        del buffer[:start]
        self._at = at - start
        if self._state == self._after:
            self._state(found)

    def _element(self, element: bytes, found: list[bytes], *, last: bool) -> None:
        if len(element) > self._limit:
            raise too_long(self._limit)
        if element.strip(_SPACE):
            self._elements += 1
            found.append(element)
        elif not last or self._elements:
            raise invalid(Violation("", "the JSON array has an empty element"))
