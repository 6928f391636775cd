"""Counts the cores that this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Returns the number of cores; of those that the process is bound to, if it is."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
