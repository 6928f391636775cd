"""Keeps the worker process of one model: started by the first request, and again by the next one after its death."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any

from ....kit.workers.child import Ended, Program, sweep
from ....kit.workers.streams import StreamProcess
from ..errors import Unavailable

_log = logging.getLogger(__name__)

_PAUSE = 5.0  # seconds after a failed start in which requests are refused: loading a large file again takes minutes


class ModelProcess:
    """At most one process. `setup` returns its first frame, and may raise what requests then fail with.

    It may take `start_timeout` seconds to start, and `timeout` to end a request that was cancelled.
    """

    def __init__(
        self, model: str, program: Program, setup: Callable[[], dict[str, Any]], *, start_timeout: float, timeout: float
    ) -> None:
        self.stopping = False
        self._model, self._program, self._setup = model, program, setup
        self._start_timeout, self._timeout = start_timeout, timeout
        self._process: StreamProcess | None = None
        self._starting: asyncio.Task[StreamProcess] | None = None
        self._failed_at = float("-inf")

    async def running(self) -> StreamProcess:
        """Returns the process, which is started if there is none. Raises Unavailable if it cannot be started."""
        if self.stopping:
            raise Unavailable("the server is stopping")
        if self._process is not None and not self._process.closed.is_set():
            return self._process
        if self._starting is None:
            if asyncio.get_running_loop().time() < self._failed_at + _PAUSE:
                raise Unavailable("the model's process cannot be started; see the server's log")
            # In a context of its own: the tasks of the process outlive the request, and must not keep what it holds.
            self._starting = asyncio.create_task(self._start(), context=Context())
        starting = self._starting
        try:
            # Shielded: the start goes on for the others, and the next, if this caller leaves.
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():
                raise Unavailable("the server is stopping") from None
            raise

    async def _start(self) -> StreamProcess:
        try:
            if self._process is not None:
                await self._process.wait_closed()
            setup = self._setup()
            await asyncio.to_thread(sweep)
            self._process = await StreamProcess.start(self._program, setup, self._start_timeout)
            self._process.cancel_seconds = self._timeout
            _log.info("the model %s is loaded, in process %d", self._model, self._process.pid)
            return self._process
        except (Ended, OSError) as error:  # OSError: out of processes or memory, or TimeoutError
            self._failed_at = asyncio.get_running_loop().time()
            _log.error("cannot start the process of the model %s: %r", self._model, error)
            raise Unavailable("the model's process cannot be started; see the server's log") from error
        finally:
            self._starting = None

    @property
    def pid(self) -> int | None:
        """The id of the process; None without one."""
        return None if self._process is None or self._process.closed.is_set() else self._process.pid

    @property
    def memory(self) -> int:
        """The resident memory of the process in bytes; 0 without one."""
        return 0 if self.pid is None else resident(self.pid)

    async def stop(self) -> None:
        """End the process. No other is started."""
        self.stopping = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        if self._process is not None:
            self._process.kill()
            await self._process.wait_closed()


def resident(pid: int) -> int:
    """Returns the resident memory of a process in bytes, or 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0
