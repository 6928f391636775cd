"""Tells forked processes that their parent stops: each reads the end of a pipe that the parent closes.

A pipe, because a signal handler of Python waits for a C library to return, and a thread that reads does not. Knows no
worker.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress


class StopSignal:
    """Made in the parent before it forks; processes that are forked after `send` hear it too."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def send(self) -> None:
        """Tell every process that listens, and those that will. May be repeated, in a signal handler too."""
        write, self._write = self._write, -1
        if write >= 0:
            with suppress(OSError):
                os.close(write)

    def listen(self, stop: Callable[[], object]) -> None:
        """Call `stop` in a thread once the parent has sent the signal or has ended. For a forked process."""
        self.send()  # its own copy of the end that writes
        threading.Thread(target=self._wait, args=(stop,), name="batch-stop-signal", daemon=True).start()

    def _wait(self, stop: Callable[[], object]) -> None:
        os.read(self._read, 1)
        stop()
