"""Splits a client's stream of JSON messages while it arrives: NDJSON, or one JSON array.

Pure: bytes in, the bytes of complete elements out. It does not check that an element is valid JSON; the parser does.
It parses only the first line of a body that should be one value, to recognize NDJSON.
"""

from __future__ import annotations

import re
from typing import Protocol

import orjson

from ..media import NDJSON
from ..status import Code, StatusError, Violation, error, invalid

_SPACE = b" \t\r\n"
# The structural characters outside strings, without the colon (RFC 8259 section 2).
_STRUCTURAL = re.compile(rb'["\[\]{},]')
# The rest of a string up to its closing quote or the end of the buffer; possessive, so that it never backtracks.
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_OPEN, _CLOSE = b"[{", b"]}"
# Lines sent as one value are recognized while the body is shorter, since the client may wait, and at the end.
_FIRST_LINE_BYTES = 4096


def _inside_of(depth: int) -> bytes:
    """Returns the pattern of what is between brackets, with at most `depth` brackets around any of it."""
    below = b"" if not depth else rb"|[\[{]%b[\]}]" % _inside_of(depth - 1)
    return rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"%b)*+' % below


# An object with few levels and the comma after it: most elements. Possessive too, so that one that is incomplete or
# deeper is scanned only once in vain.
_WHOLE = re.compile(rb"[ \t\r\n]*+\{%b\}[ \t\r\n]*+," % _inside_of(3), re.DOTALL)


class Splitter(Protocol):
    """Splits one request body."""

    @property
    def held(self) -> int:
        """The bytes of the incomplete element that have arrived."""

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the elements that `data` completes. An error is raised by the next call, after these elements."""

    def end(self) -> list[bytes]:
        """Returns the last element if only the end completes it. Raises INVALID_ARGUMENT for a truncated body."""


def _is_json(text: bytes | bytearray) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def too_long(limit: int) -> StatusError:
    """Returns the error for an element larger than a message may be."""
    return error(Code.RESOURCE_EXHAUSTED, f"a message of the stream is larger than {limit} bytes", http=413)


class LinesSplitter:
    """NDJSON: one message per line; blank lines are ignored. `limit` is bytes per line."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self.held = 0
        self._fault: StatusError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        *whole, rest = data.split(b"\n")
        if whole:
            whole[0] = b"".join((*self._parts, whole[0]))
            self._parts, self.held = [], 0
        if rest:
            self._parts.append(rest)
            self.held += len(rest)
        found: list[bytes] = []
        for line in whole:
            if len(line) > self._limit:
                self._fault = too_long(self._limit)
                return found
            if line.strip(_SPACE):
                found.append(line)
        if self.held > self._limit:
            self._fault = too_long(self._limit)
        return found

    def end(self) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        last = b"".join(self._parts)
        return [last] if last.strip(_SPACE) else []


class ArraySplitter:
    """One JSON array, element by element; a body that is not an array is a single element.

    `limit` is bytes per element.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0  # how far the buffer has been scanned
        self._depth = 0
        self._in_string = False
        self._state = self._before
        self._elements = 0
        self._fault: StatusError | None = None

    @property
    def held(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        self._buffer += data
        found: list[bytes] = []
        try:
            self._state(found)
            if len(self._buffer) > self._limit:
                if self._state == self._single:
                    self._refuse_lines()
                raise too_long(self._limit)
        except StatusError as fault:
            self._fault = fault
        return found

    def end(self) -> list[bytes]:
        if self._fault is not None:
            raise self._fault
        if self._state == self._single:
            self._refuse_lines()
            return [bytes(self._buffer)]
        if self._state == self._inside:
            # The last one is whole too, unless it is cut itself: only the comma or bracket behind it is missing.
            whole = not self._depth and not self._in_string and bool(self._buffer.strip(_SPACE))
            count = self._elements + whole
            elements = "1 element" if count == 1 else f"{count} elements"
            raise invalid(Violation("", f"truncated JSON array: no closing ] after {elements}"))
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
        if len(self._buffer) <= _FIRST_LINE_BYTES:
            self._refuse_lines()

    def _refuse_lines(self) -> None:
        first, _, rest = self._buffer.partition(b"\n")
        if rest.strip(_SPACE) and _is_json(first):
            raise invalid(Violation("", f"expected one JSON value or an array, got lines; send lines as {NDJSON}"))

    def _after(self, found: list[bytes]) -> None:
        if self._buffer.strip(_SPACE):
            raise invalid(Violation("", "unexpected data after the JSON array"))
        self._buffer.clear()

    def _inside(self, found: list[bytes]) -> None:
        buffer, start, at = self._buffer, 0, self._at
        while True:
            if at == start and (whole := _WHOLE.match(buffer, at)) is not None:
                at = whole.end()
                self._element(bytes(buffer[start : at - 1]), found, last=False)
                start = at
                continue
            if self._in_string:
                matched = _STRING.match(buffer, at)
                at = matched.end() if matched is not None else at
                # A backslash at the end of the buffer waits for the character that it escapes.
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
                raise invalid(Violation("", "unmatched } in the JSON array"))
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
            raise invalid(Violation("", "empty element in the JSON array"))
