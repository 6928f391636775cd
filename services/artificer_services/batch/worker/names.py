"""The names of worker processes: stored with their slots, and parsed to tell whether the process is still alive.

Knows processes as the kernel shows them, and nothing of their work.
"""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

from ...kit.processes import exists


def own() -> str:
    """Returns this process's name: machine, process id, start time in clock ticks (`host-1f2e3d4c/4711.889900`)."""
    pid = os.getpid()
    return f"{_machine()}/{pid}.{_started(pid) or 0}"


def gone(name: str) -> bool:
    """Whether the process is known to have ended; false for processes of other machines."""
    machine, _, process = name.rpartition("/")
    pid, _, started = process.partition(".")
    if machine != _machine() or not pid.isdecimal():
        return False
    return _started(int(pid)) != int(started or 0) if Path("/proc/self/stat").exists() else not exists(int(pid))


@cache
def _machine() -> str:
    # Process ids are unique within one boot and one PID namespace only, and containers may share a host name.
    parts = []
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(Path(path).read_text(encoding="ascii") if "boot" in path else os.readlink(path))
        except OSError:
            parts.append("")
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    return f"{socket.gethostname().replace('/', '_')}-{digest}"


def _started(pid: int) -> int | None:
    """Returns a process's start time in clock ticks since boot; None if it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may itself contain blanks and parentheses (proc(5)).
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
