"""Removes the lines of the fence from an answer, which small models repeat with the passage that they quote.

Pure. Holds back only what may become such a line.
"""

from __future__ import annotations

from .prompt import Fence


class Unfenced:
    """One answer without its fences. `ended` is set by a closing line, behind which nothing new comes."""

    def __init__(self, fence: Fence) -> None:
        self._opening, self._closing = fence.opening, fence.closing
        self._held = ""
        self._begun = False
        self.ended = False

    def add(self, text: str) -> str:
        """Returns the text that can be shown."""
        if self.ended:
            return ""
        text = (self._held + text).replace(f"{self._opening}\n", "").replace(self._opening, "")
        before, closing, _ = text.partition(self._closing)
        if closing:
            self.ended = True
            self._held = ""
            return self._shown(before.rstrip())
        keep = _overlap(text, self._opening + "\n", self._closing)
        # A line break may stand before a closing line.
        while keep < len(text) and text[-keep - 1].isspace():
            keep += 1
        self._held = text[len(text) - keep :]
        return self._shown(text[: len(text) - keep])

    def finish(self) -> str:
        """Returns what was held back."""
        held, self._held = self._held, ""
        return self._shown(held.rstrip())

    def _shown(self, text: str) -> str:
        """Returns a text, the first of an answer without white space before it."""
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text


def _overlap(text: str, *lines: str) -> int:
    """Returns the length of the longest end of a text with which one of the lines begins."""
    longest = min(len(text), max(map(len, lines)))
    return next((size for size in range(longest, 0, -1) if any(one.startswith(text[-size:]) for one in lines)), 0)
