"""Ends the worker process if a step takes too much processor time, such as drawing a page.

A page of two kilobytes can draw for years: forms that draw forms, patterns in patterns. No count of operators finds all
of these, and a library that draws cannot be interrupted, so the kernel ends the process; the pool replaces it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

DEADLY = signal.SIGPROF
"""The signal by which a process ends; its default action, which needs no interpreter."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """End the process if the block uses this much processor time, which a busy machine does not stretch."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
