"""Default limits of connections and request bytes, derived from memory and file descriptors.

It knows no call. The values are read once, when a gateway is constructed.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from .settings import Settings

_CGROUPS = Path("/sys/fs/cgroup")
# An idle connection takes up to 36 KiB (a WebSocket; bench/PRODUCTION_RESULTS.md); the rest is for a busy one.
_CONNECTION_BYTES = 64 * 1024
_FEWEST_CONNECTIONS = 64
_FEWEST_UNREAD_BYTES = 16 * 1024 * 1024


def bounded(settings: Settings) -> Settings:
    """Returns the settings with `max_connections` set.

    Its default is what fits into an eighth of the memory, and into three quarters of the file descriptors, since
    servicers need some too.
    """
    if settings.max_connections is not None:
        return settings
    most = min(memory() // settings.workers // 8 // _CONNECTION_BYTES, descriptors() * 3 // 4)
    return settings.model_copy(update={"max_connections": max(_FEWEST_CONNECTIONS, most)})


def bytes_in_flight(settings: Settings) -> int:
    """Returns `limits.max_bytes_in_flight`; its default is a quarter of the memory, and at least one largest body.

    A quarter, because a request is in memory as bytes and as a message, and its response with it.
    """
    set_by_user = settings.limits.max_bytes_in_flight
    return set_by_user or max(settings.largest_body, memory() // settings.workers // 4)


def unread_bytes(settings: Settings) -> int:
    """Returns how many bytes of requests all HTTP/2 connections of one port may hold before they are read.

    That is an eighth of the memory, and at least what one connection may hold.
    """
    return max(_FEWEST_UNREAD_BYTES, memory() // settings.workers // 8)


def memory() -> int:
    """Returns the bytes that this process may use: the machine's memory, or the control group's limit if lower."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(machine, *_limits(_CGROUPS, Path("/proc/self/cgroup")), machine)


def _limits(root: Path, own: Path) -> Iterator[int]:
    """Yields the limits of this process's control group and of its ancestors, in versions 1 and 2."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        # In a container the path may be the host's; the root of the mount is then the container's own group.
        for one in (group, *group.parents):
            if one.is_relative_to(base) and (text := _text(one / name).strip()).isdecimal():
                yield int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def descriptors() -> int:
    """Returns how many files and sockets this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
