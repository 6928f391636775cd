"""Runs a server as a process: event loop and signal handlers."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger("diptych")


class Served(Protocol):
    """A server that `run` runs until it terminates."""

    async def start(self) -> None:
        """Binds the ports and serves."""

    async def stop(self) -> None:
        """Stops gracefully."""

    async def reload_certificates(self) -> bool:
        """Reloads the certificate files if they changed."""

    async def wait_for_termination(self) -> bool:
        """Returns when everything has stopped."""


def run(served: Served, started: Callable[[], None], *, certificates: bool) -> None:
    """Serves until SIGTERM or SIGINT, then stops; a second signal exits at once.

    `started` is called on the event loop once the ports are served. With `certificates`, SIGHUP reloads them.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(served, started, certificates))


async def _run(served: Served, started: Callable[[], None], certificates: bool) -> None:
    loop = asyncio.get_running_loop()
    received: list[int] = []
    tasks: set[asyncio.Task[object]] = set()

    def on_signal(number: int) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        logger.info("stopping on %s", signal.Signals(number).name)
        tasks.add(loop.create_task(served.stop()))

    await served.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    if certificates:
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.add(loop.create_task(served.reload_certificates())))
    # What the start has created lives as long as the process, so collections need not look at it.
    gc.collect()
    gc.freeze()
    started()
    await served.wait_for_termination()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
