"""A client's document in memory that worker processes can open: written once, copied to none.

A memory file has no name, so nothing is left behind however the server ends.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile

_numbers = itertools.count(1)
_QUICK = 1 << 20  # bytes that are written faster than a thread is started


class Document:
    """A document's descriptor and its number. Close it when no task needs it any more."""

    __slots__ = ("fd", "number")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.number = next(_numbers)

    @classmethod
    async def store(cls, data: bytes) -> Document:
        """Write `data` where workers can open it."""
        document = cls(_memory_file())
        try:
            if len(data) <= _QUICK:
                _write(document.fd, data)
            else:
                # Shielded: a thread cannot be stopped, and must not write into a descriptor that was closed.
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


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("diptych-ocr", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:  # nameless too, but on a disk
        return os.dup(file.fileno())
