"""The names of worker processes: told to the store, and read again by whoever asks whether such a process still lives.

Knows processes by what the kernel says of them, and nothing of what they do.
"""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

from ...kit.processes import exists


def own() -> str:
    """This process's name, such as `host-1f2e3d4c/4711.889900`: machine, process id, start time in clock ticks."""
    pid = os.getpid()
    return f"{_machine()}/{pid}.{_started(pid) or 0}"


def gone(name: str) -> bool:
    """Whether the process of this name is known to have ended; false where it is another machine's to know."""
    machine, _, process = name.rpartition("/")
    pid, _, started = process.partition(".")
    if machine != _machine() or not pid.isdecimal():
        return False
    return _started(int(pid)) != int(started or 0) if Path("/proc/self/stat").exists() else not exists(int(pid))


@cache
def _machine() -> str:
    # Process ids mean something within one boot and one namespace only, and containers may share a host's name.
    parts = []
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(Path(path).read_text(encoding="ascii") if "boot" in path else os.readlink(path))
        except OSError:
            parts.append("")
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    return f"{socket.gethostname().replace('/', '_')}-{digest}"


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None for one that is gone, waiting to be reaped included."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
