"""Splits the pieces of a body into lines. Keeps no more than one unfinished line."""

from __future__ import annotations


class Lines:
    """The lines of NDJSON as bytes. Empty ones, which keep the connection alive, are dropped."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Returns the lines that are complete."""
        if b"\n" not in piece:
            self._parts.append(piece)
            return []
        *lines, rest = piece.split(b"\n")
        if self._parts:
            lines[0] = b"".join((*self._parts, lines[0]))
        self._parts = [rest] if rest else []
        return [line for line in lines if line.strip()]

    def rest(self) -> list[bytes]:
        """Returns the last line, if it had no line break."""
        last = b"".join(self._parts)
        self._parts = []
        return [last] if last.strip() else []
