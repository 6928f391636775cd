"""The memory of the processes that this one has started, such as workers that read documents.

The container's limit counts them, and `process_resident_memory_bytes` does not. It reads Linux's /proc; elsewhere it
reports nothing. It knows no program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric

_PROC = Path("/proc")


class ChildrenCollector:
    """A collector of prometheus-client: number and resident memory of all descendants."""

    def describe(self) -> list[Metric]:
        """Returns nothing, since prometheus-client would collect once to describe."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields the current gauges."""
        if not (_PROC / "self" / "task").is_dir():
            return
        sizes = [size for size in map(_resident, descendants(os.getpid())) if size is not None]
        yield GaugeMetricFamily(
            "diptych_child_processes", "Processes that this process and its children have started.", value=len(sizes)
        )
        yield GaugeMetricFamily(
            "diptych_children_resident_memory_bytes",
            "Resident memory of these processes in bytes; pages that several share count for each.",
            value=sum(sizes),
        )


def descendants(pid: int) -> Iterator[int]:
    """Yields the ids of the processes that a process has started, and of those that they have."""
    for child in _children(pid):
        yield child
        yield from descendants(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it has ended
        for task in (_PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def _resident(pid: int) -> int | None:
    try:
        pages = (_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
