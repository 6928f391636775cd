"""What serves, as a process: its event loop, and what signals mean to it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger("diptych")


class Served(Protocol):
    """What a process lives for."""

    async def start(self) -> None:
        """Bind the ports and serve."""

    async def stop(self) -> None:
        """End what is served, in its own time."""

    async def reload_certificates(self) -> bool:
        """Look at the certificate's files again."""

    async def wait_for_termination(self) -> bool:
        """Return when all has stopped."""


def run(served: Served, started: Callable[[], None], *, certificates: bool) -> None:
    """Serve until SIGTERM or SIGINT, then stop; a second signal exits at once.

    `started` is called on the event loop once all is served. With `certificates`, SIGHUP has them looked at again.
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
    started()
    await served.wait_for_termination()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
