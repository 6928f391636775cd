"""How deep and how large a JSON text may be, found out before it is parsed.

It reads bytes only, in passes that are linear in the text and run at C speed, since anybody may send anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..status import Violation, invalid

# Possessive, so that no text makes it step back; a string that never ends reaches to the end.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b'{}[]"')


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLimits:
    """`depth`: nested objects and arrays; `elements`: objects, arrays and commas, which is all values but a few."""

    depth: int = 64
    elements: int = 1_000_000

    def check(self, body: bytes) -> None:
        """Raises INVALID_ARGUMENT for a text beyond either limit; what is not JSON at all is the parser's to refuse."""
        # Brackets and commas in strings count here too, so that nearly every body passes with no more than this.
        opened = body.count(b"{") + body.count(b"[")
        if opened + body.count(b",") > self.elements:
            body = _STRINGS.sub(b"", body)
            opened = body.count(b"{") + body.count(b"[")
            if opened + body.count(b",") > self.elements:
                raise invalid(Violation("", f"the body has more than {self.elements} values"))
        if opened > self.depth and _deeper(_brackets(body), self.depth):
            raise invalid(Violation("", f"the body nests deeper than {self.depth} levels"))


def _brackets(body: bytes) -> bytes:
    """The brackets outside of strings, all of them square."""
    if b"\\" not in body:
        bare = body.translate(_SQUARE, _ALL_BUT_BRACKETS).replace(b'""', b"")
        # An odd quote stands before a bracket in a string, and pairs that were taken out do not change that.
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
