"""Servers as processes on a dedicated core, with the kernel's figures for them: CPU time and memory.

A server may be several processes, which may start others: the figures are those of all, at any depth.

It knows no protocol except the line of JSON in which a server reports its ports.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import ROOT

_LIBC = ctypes.CDLL(None)
START_SECONDS = 60.0
STOP_SECONDS = 5.0


def cores() -> tuple[int | None, int | None]:
    """Returns the servers' core and the load generator's; None without two cores or without a way to pin."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    free = sorted(os.sched_getaffinity(0))
    return (free[0], free[1]) if len(free) > 1 else (None, None)


def pin(core: int | None) -> None:
    """Pins this process, and those it starts, to one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


class Unavailable(Exception):
    """A server that cannot be measured on this machine; the message says what is missing."""


def unpin() -> None:
    """Lets this process, and those it starts, run on every core again."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def more_files(count: int) -> None:
    """Lets this process, and those it starts, open so many files, or as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard) if hard > 0 else count, hard))


@dataclass
class Server:
    """Running processes that answer together: one, or a proxy and the server behind it."""

    name: str
    processes: Sequence[subprocess.Popen[Any]]
    http: int = 0
    grpc: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that each request to it needs, such as an API key."""

    def cpu_seconds(self) -> float:
        """CPU time since their start, in user and kernel mode, of processes that have ended too."""
        return sum(map(_cpu_seconds, self._pids()))

    def memory(self) -> float:
        """Resident memory in MiB; pages that processes share count for each."""
        return sum(_status_kib(pid, "VmRSS") for pid in self._pids()) / 1024

    def peak(self) -> float:
        """Peak resident memory since the last `forget_peak`, in MiB."""
        return sum(_status_kib(pid, "VmHWM") for pid in self._pids()) / 1024

    def forget_peak(self) -> None:
        """Resets the peak to the current resident memory."""
        for pid in self._pids():
            with contextlib.suppress(OSError):  # some kernels forbid this; then the peak is that of the whole run
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _pids(self) -> Iterator[int]:
        for process in self.processes:
            yield from family(process.pid)


def family(pid: int) -> Iterator[int]:
    """Yields a process and all that descend from it."""
    yield pid
    # A child belongs to the thread that started it.
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            for child in children.read_text().split():
                yield from family(int(child))


def _cpu_seconds(pid: int) -> float:
    # The process's own time in nanoseconds, since /proc counts in hundredths of a second, which is much of a short run.
    clock = ctypes.c_int()
    if _LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)):
        return 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own = time.clock_gettime(clock.value)
    except OSError:
        return 0.0
    # proc_pid_stat(5): cutime and cstime, of children that ended and were waited for.
    return own + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _status_kib(pid: int, name: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:")), 0)


@contextlib.contextmanager
def started(command: Sequence[str], core: int | None) -> Iterator[subprocess.Popen[str]]:
    """Runs the command on `core` until the block ends, also by an exception."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: pin(core),
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def server(name: str, module: str, core: int | None, *arguments: str) -> Iterator[Server]:
    """Runs `bench.servers.<module>`, ready for requests."""
    with started([sys.executable, "-m", f"bench.servers.{module}", *arguments], core) as process:
        yield Server(name, [process], **json.loads(first_line(process)))


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if ready else ""
    if not line:
        raise RuntimeError(f"{process.args!r} did not start")
    return line
