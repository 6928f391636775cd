"""The worker process: gives the gateway its slot's sockets, sends heartbeats, and handles the supervisor's requests.

If the supervisor dies, the worker stops as on SIGTERM, since nothing else would end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import stat
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from ..gateway import Gateway
from ..settings import Settings
from .child import ADOPT, BEAT, CLOSING, COUNT, DRAINING, LEAVE, READY, STOP
from .plan import Slot

logger = logging.getLogger("diptych")

BEAT_SECONDS = 1.0
_MAX_SLOTS = 512


def slot_settings(settings: Settings, slot: Slot) -> Settings:
    """Returns the settings with the supervisor's addresses and number of workers, which a reload does not change."""
    found = settings.telemetry
    shared = {"worker": str(slot.index), "metrics_port": slot.metrics_port}
    if found.metrics:
        shared["metrics_dir"] = slot.metrics_dir
    telemetry = type(found).model_validate({**found.model_dump(exclude_unset=True), **shared})
    return settings.model_copy(
        update={
            "telemetry": telemetry,
            "workers": slot.workers,
            "http_host": slot.http_host,
            "http_port": slot.http_port,
            "grpc_host": slot.grpc_host,
            "single_port": slot.grpc_port is None,
            "grpc_port": slot.grpc_port or 0,
        }
    )


class Worker:
    """One worker. Raises ValueError if the slot's descriptors are not sockets, as when it is started by hand."""

    def __init__(self, gateway: Gateway, slot: Slot) -> None:
        self._gateway, self._slot = gateway, slot
        self._http = _socket_of(slot.http)
        self._grpc = None if slot.grpc is None else _socket_of(slot.grpc)
        self._channel = _socket_of(slot.channel)
        self._channel.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._rest = b""
        self._orphaned = False
        self._received: list[int] = []
        self._adopted: list[socket.socket] = []

    def run(self) -> None:
        """Serves until the supervisor or a signal ends it."""
        self._gateway.share(self._http, self._grpc)
        try:
            self._gateway.run(started=self._begin, stopping=self._begin_shutdown)
        finally:
            for one in filter(None, (self._http, self._grpc, self._channel, *self._adopted)):
                one.close()
            if self._orphaned and self._slot.private_dir:  # its supervisor cannot
                shutil.rmtree(self._slot.metrics_dir, ignore_errors=True)

    def _begin(self) -> None:
        """Called once both listeners accept."""
        self._gateway.worker_info = {"worker": self._slot.index, "ready": 1, "of": self._slot.workers}
        self._send(f"{CLOSING} {self._gateway.closing_seconds:g}")
        self._send(READY)
        asyncio.get_running_loop().add_reader(self._channel, self._on_readable)
        self._beat()

    def _beat(self) -> None:
        self._send(BEAT)
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _begin_shutdown(self) -> None:
        """Tells the supervisor, so that it gives this worker's sockets to others, and closes adopted ones."""
        self._send(DRAINING)
        for one in self._adopted:
            one.close()
        self._adopted = []

    def _send(self, word: str) -> None:
        with contextlib.suppress(OSError):
            self._channel.send(f"{word}\n".encode())

    def _on_readable(self) -> None:
        try:
            data, received, _, _ = socket.recv_fds(self._channel, 4096, _MAX_SLOTS)
            self._received += received
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._orphaned = True
            logger.error("the supervisor has died: stopping")
            self._do(self._gateway.stop)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            word, _, number = line.decode().partition(" ")
            self._handle(word, int(number or 0))

    def _handle(self, word: str, number: int) -> None:
        if word == STOP:
            self._do(self._gateway.stop)
        elif word == LEAVE:
            self._do(self._gateway.hand_over)
        elif word == ADOPT:
            sockets = [_socket_of(one) for one in self._received[:number]]
            del self._received[:number]
            self._do(partial(self._adopt, sockets))
        elif word == COUNT:
            self._gateway.worker_info = {"worker": self._slot.index, "ready": number, "of": self._slot.workers}

    async def _adopt(self, sockets: list[socket.socket]) -> None:
        before, self._adopted = self._adopted, sockets
        http = len(sockets) if self._grpc is None else len(sockets) // 2
        await self._gateway.adopt_sockets(sockets[:http], sockets[http:])
        for one in before:
            one.close()

    def _do(self, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.get_running_loop().create_task(what())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a request of the supervisor has failed", exc_info=task.exception())


def _socket_of(number: int) -> socket.socket:
    """Returns the socket of a descriptor, no longer inherited by child processes."""
    try:
        fits = stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        fits = False
    if not fits:
        raise ValueError("a worker is started by its supervisor: diptych serve --workers")
    os.set_inheritable(number, False)
    return socket.socket(fileno=number)
