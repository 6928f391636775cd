"""The clock of an SQLite database: one for all processes that have the file open, and never set back while they have.

PostgreSQL has its server's clock. Here it is the kernel's clock since the boot, which nobody sets, plus an offset that
the processes share in a file next to the database. Knows no table.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time

_OFFSET = struct.Struct("=q")  # in microseconds; eight aligned bytes, which are read and written at once
_SLACK = 1_000_000  # microseconds that the machine's clock may be ahead before it is followed

# Counts the time that the machine is suspended, unlike the monotonic clock.
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """Microseconds since 1970 that only grow, whatever happens to the machine's clock. Thread-safe.

    The first process to open the file sets the clock by the machine's: a restart of the service corrects a clock that
    is ahead since the machine's was set back. If the machine's is set forward, this one follows.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._opening = threading.Lock()
        self._file: int | None = None
        self._shared: mmap.mmap | None = None

    def now(self) -> int:
        """Returns the time."""
        shared = self._shared or self._open()
        since_boot = time.clock_gettime_ns(_SINCE_BOOT) // 1000
        offset: int = _OFFSET.unpack_from(shared)[0]
        ahead = time.time_ns() // 1000 - since_boot - offset
        if ahead > _SLACK:
            offset += ahead
            _OFFSET.pack_into(shared, 0, offset)
        return since_boot + offset

    def close(self) -> None:
        """Close the file."""
        with self._opening:
            shared, self._shared = self._shared, None
            if shared is not None:
                shared.close()
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _open(self) -> mmap.mmap:
        with self._opening:
            if self._shared is None:
                self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
                self._shared = _shared(self._file)
            return self._shared


def _shared(file: int) -> mmap.mmap:
    """Returns the file's memory, with the clock set if no other process has it open."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(file, fcntl.LOCK_SH)  # waits while the first process sets the clock
        return mmap.mmap(file, _OFFSET.size)
    os.ftruncate(file, _OFFSET.size)
    shared = mmap.mmap(file, _OFFSET.size)
    _OFFSET.pack_into(shared, 0, (time.time_ns() - time.clock_gettime_ns(_SINCE_BOOT)) // 1000)
    fcntl.flock(file, fcntl.LOCK_SH)
    return shared
