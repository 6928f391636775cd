"""Connections send small frames at once: TCP_NODELAY is set, on each event loop and port, however the port was bound.

Without it, a response of two writes waits for the client's delayed acknowledgement, which takes 40 ms.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import uvloop

from diptych import Gateway, Settings
from diptych.workers.plan import Plan
from diptych.workers.ports import Ports
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.gateway.http2_client import connected
from tests.kitchen import Kitchen

Loop = Callable[[], asyncio.AbstractEventLoop]

PLAN = Plan(
    command=[],
    workers=2,
    http_host="127.0.0.1",
    http_port=0,
    grpc_host="127.0.0.1",
    grpc_port=0,
    engine="builtin",
    metrics_host="127.0.0.1",
    metrics_port=None,
    metrics_dir=None,
    stop_seconds=1,
    hang_seconds=1,
    start_seconds=1,
    secure=False,
    log_format="auto",
    log_level="info",
    doubts=[],
)


@contextmanager
def supervisor(shares: bool) -> Iterator[Ports | None]:
    """The ports as a supervisor of workers binds them, or None."""
    ports = Ports.bind(PLAN) if shares else None
    try:
        yield ports
    finally:
        if ports is not None:
            ports.close()


def of_accepted(port: int) -> list[int]:
    """TCP_NODELAY of each connection of this process that was accepted on a port."""
    found = []
    for number in os.listdir("/dev/fd"):
        with suppress(OSError):  # closed meanwhile, no socket, or not connected
            copy = os.dup(int(number))
            try:
                end = socket.socket(fileno=copy)
            except OSError:
                os.close(copy)
                continue
            with end:
                if end.family == socket.AF_INET and end.getsockname()[1] == port and end.getpeername():
                    found.append(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    return found


@pytest.mark.parametrize("shares", [False, True], ids=["its own ports", "a supervisor's ports"])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_small_frames_are_sent_at_once(loop: Loop, shares: bool) -> None:
    async def options(ports: Ports | None) -> list[list[int]]:
        gateway = Gateway(Settings(http_port=0, grpc_port=0))
        pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
        if ports is not None:
            gateway.share(*ports.of(0))
        found = []
        async with asyncio.timeout(20), gateway:
            for port in (gateway.http_port, gateway.grpc_port):
                async with connected(port):  # which has received the server's SETTINGS
                    found.append(of_accepted(port))
            await gateway.stop(0)
        return found

    with supervisor(shares) as ports, asyncio.Runner(loop_factory=loop) as runner:
        assert [[bool(one) for one in port] for port in runner.run(options(ports))] == [[True], [True]]
