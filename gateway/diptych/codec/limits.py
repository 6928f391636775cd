"""How deep and how large a JSON text may be, found out before it is parsed.

It reads bytes only. The counts of brackets and commas are upper bounds, so nearly every body passes at memchr speed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..status import Violation, invalid

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLimits:
    """`depth`: nested objects and arrays; `elements`: values in the whole text."""

    depth: int = 64
    elements: int = 1_000_000

    def check(self, body: bytes) -> None:
        """Raises INVALID_ARGUMENT for a text beyond either limit."""
        opened = body.count(b"{") + body.count(b"[")
        if opened <= self.depth and opened + body.count(b",") <= self.elements:
            return
        depth = elements = 0
        for found in _TOKENS.finditer(body):
            token = found.group()
            if token in (b"{", b"["):
                depth += 1
                elements += 1
                if depth > self.depth:
                    raise invalid(Violation("", f"the body nests deeper than {self.depth} levels"))
            elif token in (b"}", b"]"):
                depth -= 1
            elif token == b",":
                elements += 1
            if elements > self.elements:
                raise invalid(Violation("", f"the body has more than {self.elements} values"))
