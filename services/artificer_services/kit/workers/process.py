"""One worker process, as the pool sees it: sends it tasks, one at a time.

Knows nothing of documents or fairness.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Sequence

from . import wire
from .child import ChildProcess, Ended


class WorkerProcess(ChildProcess):
    """A worker process that is ready. `closed` is set once it has ended for any reason."""

    def __init__(
        self, popen: subprocess.Popen[bytes], sock: socket.socket, life: socket.socket, folder: str | None
    ) -> None:
        super().__init__(popen, sock, life, folder)
        self.seen: set[int] = set()  # documents it may have open
        self.tasks = 0
        self._began = False
        self._answer: asyncio.Future[wire.Frame] | None = None

    @property
    def busy(self) -> bool:
        """Whether it has begun a task and not answered it."""
        return self._began and self._answer is not None and not self._answer.done()

    async def call(self, task: wire.Frame, fds: Sequence[int]) -> wire.Frame:
        """Run a task, one at a time. Raises Ended. After a cancellation the worker must be killed."""
        if self.closed.is_set():
            raise Ended(began=False)
        self._began = False
        self.tasks += 1
        self._answer = asyncio.get_running_loop().create_future()
        try:
            wire.send(self.sock, task, fds)
        except OSError as error:
            self.kill()
            raise Ended(began=False) from error
        return await self._answer

    def forget(self, document: int) -> None:
        """Tell the worker to close a document after its current task."""
        if document not in self.seen:
            return
        self.seen.discard(document)
        try:
            wire.send(self.sock, {"forget": document})
        except OSError:
            self.kill()

    def received(self, frame: wire.Frame) -> None:
        """Take the sign that a task has begun, or its answer."""
        if "began" in frame:
            self._began = True
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(frame)

    def ended(self) -> None:
        """Fail the running task."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Ended(self._began, self.status))
