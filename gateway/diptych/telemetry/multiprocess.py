"""The metrics of several worker processes, merged through a shared folder.

Each worker writes its metrics to its own file every second, at each scrape and when it ends. Counters of ended workers
stay; their gauges are dropped. It knows no metric's name, only the prefixes of those that describe a process.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

EVERY_SECONDS = 1.0
# Metrics of a single process: summed over workers they mean nothing, and an ended process has none.
_OWN = ("process_", "python_")
_FOLDED = "folded"

Snapshot: TypeAlias = "list[tuple[str, str, str, list[tuple[str, dict[str, str], float]]]]"
"""Families: name, documentation, type, and samples of name, labels and value."""


class SharedMetrics:
    """The metrics of all workers. A worker that cannot write or read a file serves those that it can."""

    def __init__(self, own: Callable[[], Iterable[Metric]], folder: Path, worker: str) -> None:
        self._own, self._folder = own, folder
        self.worker = worker or str(os.getpid())
        self._name = f"{self.worker}-{os.getpid()}"
        self._lock: int | None = None
        self._writing = threading.Lock()  # `MetricsPort` answers in threads
        self._task: asyncio.Task[None] | None = None

    # Writing.

    def open(self) -> None:
        """Begins, and merges the files of ended workers into one. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # The kernel releases the lock however the process ends. A pid would not do: the kernel reuses pids.
        self._lock = os.open(self._folder / f"{self._name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._fold()
        self.write()

    def start(self) -> None:
        """Starts writing every second."""
        self._task = asyncio.ensure_future(self._keep())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self.write()

    def write(self) -> None:
        """Writes the metrics of this process."""
        if self._lock is None:
            return
        data = [
            (one.name, one.documentation, one.type, [(s.name, dict(s.labels), s.value) for s in one.samples])
            for one in self._own()
        ]
        with self._writing, suppress(OSError):
            _replace(self._folder / f"{self._name}.json", data)

    def close(self) -> None:
        """Writes the last metrics, which from now on count as those of an ended worker."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._lock is not None:
            self.write()
            os.close(self._lock)
            self._lock = None

    # Reading.

    def collect(self) -> Iterator[Metric]:
        """Yields the families of all workers; this one's are current."""
        # Written first: a scrape that another worker answers next must not report lower counters.
        self.write()
        try:
            with self._folding(fcntl.LOCK_SH):
                found = [(path.stem, _read(path), self._lives(path.stem)) for path in self._files()]
        except OSError:
            yield from self._own()
            return
        merged = _Merged()
        for name, snapshot, lives in sorted(found, key=lambda one: one[0]):
            merged.add(snapshot, name.rpartition("-")[0], lives=lives)
        yield from merged.families.values()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))

    def _lives(self, name: str) -> bool:
        if name == self._name:
            return self._lock is not None
        try:
            lock = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @contextmanager
    def _folding(self, kind: int) -> Iterator[None]:
        lock = os.open(self._folder / "folding.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, kind)
            yield
        finally:
            os.close(lock)

    def _fold(self) -> None:
        """Merges the files of ended workers into one, so that their number does not grow with restarts."""
        with self._folding(fcntl.LOCK_EX):
            dead = [path for path in self._files() if not self._lives(path.stem)]
            if not dead or [path.stem for path in dead] == [_FOLDED]:
                return
            merged = _Merged()
            for path in dead:
                merged.add(_read(path), "", lives=False)
            _replace(self._folder / f"{_FOLDED}.json", merged.snapshot())
            for path in dead:
                if path.stem != _FOLDED:
                    path.unlink()
                    path.with_suffix(".lock").unlink(missing_ok=True)


def _replace(path: Path, data: Any) -> None:
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_text(json.dumps(data), encoding="utf-8")
    new.replace(path)


def _read(path: Path) -> Snapshot:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


class _Merged:
    """Families of several workers: counters summed, all others labelled with the worker's name."""

    def __init__(self) -> None:
        self.families: dict[str, Metric] = {}
        self._places: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}

    def add(self, snapshot: Snapshot, worker: str, *, lives: bool) -> None:
        """Adds the families of one worker."""
        for name, documentation, kind, samples in snapshot:
            own = kind not in ("counter", "histogram", "summary") or name.startswith(_OWN)
            if own and not lives:
                continue
            family = self.families.setdefault(name, Metric(name, documentation, kind))
            for sample, labels, value in samples:
                self._sample(family, sample, {**labels, "worker": worker} if own else labels, value)

    def _sample(self, family: Metric, name: str, labels: dict[str, str], value: float) -> None:
        key = name, tuple(sorted(labels.items()))
        at = self._places.get(key)
        if at is None:
            self._places[key] = len(family.samples)
            family.samples.append(Sample(name, labels, value))
        else:
            family.samples[at] = Sample(name, labels, family.samples[at].value + value)

    def snapshot(self) -> Snapshot:
        """Returns the families in the form of a file."""
        return [
            (one.name, one.documentation, one.type, [(s.name, dict(s.labels), s.value) for s in one.samples])
            for one in self.families.values()
        ]
