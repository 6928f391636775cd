"""Memory files that the server shares with worker processes: a client's document, and a large result.

Workers open them without copying.

A memory file has no name, so nothing is left behind even if the server is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile

_numbers = itertools.count(1)
_QUICK = 1 << 20  # bytes; writing fewer takes less time than starting a thread


class Document:
    """A document's file descriptor and number. Close it once no task needs it."""

    __slots__ = ("fd", "number")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.number = next(_numbers)

    @classmethod
    async def store(cls, data: bytes) -> Document:
        """Write `data` to a memory file that workers can open."""
        document = cls(memory_file())
        try:
            if len(data) <= _QUICK:
                _write(document.fd, data)
            else:
                # Shielded, since a thread cannot be cancelled and must not write to a closed descriptor.
                writing = asyncio.ensure_future(asyncio.to_thread(_write, document.fd, data))
                try:
                    await asyncio.shield(writing)
                except asyncio.CancelledError:
                    await asyncio.wait({writing})
                    raise
        except BaseException:
            document.close()
            raise
        return document

    def close(self) -> None:
        os.close(self.fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def memory_file() -> int:
    """Returns the descriptor of a new memory file."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("diptych", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:  # also nameless, but on disk
        return os.dup(file.fileno())
