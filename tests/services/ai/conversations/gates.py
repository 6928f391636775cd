"""A gate for a scripted model: it lets some words through, and holds the next one back."""

from __future__ import annotations

import asyncio
from typing import Literal


class Gate(asyncio.Event):
    """Lets `words` words through, and more when a test says so. `waiting` tells that one is held back."""

    def __init__(self, words: int = 0) -> None:
        super().__init__()
        self.held = asyncio.Event()
        self._allowed = asyncio.Semaphore(words)

    def allow(self, words: int) -> None:
        """Let more words through."""
        self.held.clear()
        for _ in range(words):
            self._allowed.release()

    async def wait(self) -> Literal[True]:
        """Wait for the next word's turn."""
        if self._allowed.locked():
            self.held.set()
        await self._allowed.acquire()
        return True
