"""Whose turn it is to write to a SQLite file, among the threads of a process and among processes.

SQLite itself lets a writer sleep for up to a tenth of a second, again and again, while others write on. Measured beside
four busy workers, one write in ten waited for half a second and some for two; with this for a seventh, and for half of
one. Knows no statement.
"""

from __future__ import annotations

import os
import threading
import time
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # where there is none, SQLite's own waiting has to do
    fcntl = None

_SHORTEST, _LONGEST = 0.000_05, 0.001  # seconds between two looks; a worker's transaction takes a few of the first


class Turn:
    """A lock of threads and, on a file beside the database's, of processes; the kernel frees it with its holder."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._mine = threading.Lock()

    def take(self, seconds: float) -> bool:
        """Wait for the turn; false where it did not come in time, as when its holder is stopped."""
        end = time.monotonic() + seconds
        if not self._mine.acquire(timeout=seconds):
            return False
        try:
            taken = self._lock(end)
        except BaseException:
            self._mine.release()
            raise
        if not taken:
            self._mine.release()
        return taken

    def leave(self) -> None:
        """Let others have their turn."""
        if fcntl is not None and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._mine.release()

    def close(self) -> None:
        """Close the file."""
        with self._mine:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _lock(self, end: float) -> bool:
        if fcntl is None:
            return True
        if self._file is None:
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        pause = _SHORTEST
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    return False
                time.sleep(pause)
                pause = min(pause * 1.5, _LONGEST)
            else:
                return True
