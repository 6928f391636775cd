"""What this process may hold: connections and bytes of requests, from its memory and its file descriptors.

It knows no call. Measured once, when a gateway is made.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from .settings import Settings

_CGROUPS = Path("/sys/fs/cgroup")
# An idle connection holds at most 36 KiB (a WebSocket; bench/PRODUCTION_RESULTS.md).
_CONNECTION_BYTES = 64 * 1024
_FEWEST_CONNECTIONS = 64


def bounded(settings: Settings) -> Settings:
    """The settings with `max_connections` set.

    Its default is what fits into an eighth of the memory, and into three quarters of the file descriptors, since
    servicers open some as well.
    """
    if settings.max_connections is not None:
        return settings
    most = min(memory() // settings.workers // 8 // _CONNECTION_BYTES, descriptors() * 3 // 4)
    return settings.model_copy(update={"max_connections": max(_FEWEST_CONNECTIONS, most)})


def bytes_in_flight(settings: Settings) -> int:
    """`limits.max_bytes_in_flight`; its default is a quarter of the memory, and at least one largest body.

    A quarter, since a request is held as bytes and as a message, and its response beside them.
    """
    set_by_user = settings.limits.max_bytes_in_flight
    return set_by_user or max(settings.largest_body, memory() // settings.workers // 4)


def memory() -> int:
    """Bytes that this process may use: the machine's, or less where a control group says so."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(machine, *_limits(_CGROUPS, Path("/proc/self/cgroup")), machine)


def _limits(root: Path, own: Path) -> Iterator[int]:
    """The limits of this process's control group and of all above it; both versions of the kernel's interface."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        # Within a container the path may be the host's: the root of the mount is the container's own group then.
        for one in (group, *group.parents):
            if one.is_relative_to(base) and (text := _text(one / name).strip()).isdecimal():
                yield int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def descriptors() -> int:
    """Files and sockets that this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
