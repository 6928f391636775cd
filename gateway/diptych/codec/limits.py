"""Limits a JSON text's depth and number of values, before it is parsed.

It scans bytes only, in linear passes at C speed, since every request body goes through it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..status import Violation, invalid

# Possessive, so that it never backtracks; an unterminated string extends to the end.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b'{}[]"')


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLimits:
    """`depth` limits nested objects and arrays; `elements` limits objects, arrays and commas, nearly all values."""

    depth: int = 64
    elements: int = 1_000_000

    def check(self, body: bytes) -> None:
        """Raises INVALID_ARGUMENT for a text above either limit; it does not check that the text is JSON."""
        # The first count includes brackets and commas in strings: it is cheap, and enough for nearly every body.
        opened = body.count(b"{") + body.count(b"[")
        if opened + body.count(b",") > self.elements:
            body = _STRINGS.sub(b"", body)
            opened = body.count(b"{") + body.count(b"[")
            if opened + body.count(b",") > self.elements:
                raise invalid(Violation("", f"the body has more than {self.elements} values"))
        if opened > self.depth and _deeper(_brackets(body), self.depth):
            raise invalid(Violation("", f"the body nests deeper than {self.depth} levels"))


def _brackets(body: bytes) -> bytes:
    """Returns the brackets outside strings, with braces replaced by square brackets."""
    if b"\\" not in body:
        bare = body.translate(_SQUARE, _ALL_BUT_BRACKETS).replace(b'""', b"")
        # Removing adjacent pairs of quotes leaves one exactly if a bracket is inside a string.
        if b'"' not in bare:
            return bare
    return _STRINGS.sub(b"", body).translate(_SQUARE, _ALL_BUT_BRACKETS)


def _deeper(brackets: bytes, depth: int) -> bool:
    for _ in range(depth):
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            break
        brackets = inner
    return b"[]" in brackets or brackets.count(b"[") > depth
