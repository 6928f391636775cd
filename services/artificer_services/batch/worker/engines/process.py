"""One worker process as the server sees it: started, nudged, pinged, ended.

Owns the process and its sockets, and cleans up both. Knows nothing of jobs but their ids.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any


class Ended(Exception):
    """The process ended before it was ready."""


class WorkerProcess:
    """A worker that has reported ready. `closed` is set once it has ended and is cleaned up."""

    def __init__(self, popen: subprocess.Popen[bytes], sock: socket.socket, life: socket.socket) -> None:
        self.pid = popen.pid
        self.name = ""  # the one in the store
        self.closed = asyncio.Event()
        self.status: int | None = None  # its exit status, once it is closed
        self._popen, self._sock, self._life = popen, sock, life
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._pending = False  # whether a nudge is unacknowledged
        self._again: str | None = None  # the job of a nudge that came meanwhile
        self._missed = 0  # pings since its last message

    @classmethod
    async def start(cls, setup: dict[str, Any], seconds: float) -> WorkerProcess:
        """Start a process and wait until it is ready. Raises Ended, or TimeoutError after `seconds`."""
        ours, theirs = socket.socketpair()
        life, their_life = socket.socketpair()
        try:
            popen = _launch(theirs, their_life)
        except BaseException:
            ours.close()
            life.close()
            raise
        finally:
            theirs.close()
            their_life.close()
        worker = cls(popen, ours, life)
        try:
            async with asyncio.timeout(seconds):
                await worker._handshake(setup)
        except BaseException:
            worker.kill()
            await worker._clean()
            raise
        return worker

    def nudge(self, job_id: str) -> None:
        """Tell it to look for work, first of this job. Unacknowledged nudges are merged."""
        if self._pending:
            # It may have looked already, with the acknowledgement on its way: nudge again after that.
            self._again = job_id
        else:
            self._pending = True
            self._send({"nudge": job_id})

    def _acknowledged(self) -> None:
        again, self._pending, self._again = self._again, False, None
        if again is not None:
            self.nudge(again)

    def ping(self) -> int:
        """Ping it; returns how many earlier pings it has not answered."""
        self._missed += 1
        if self._missed == 1:
            self._send({"ping": True})
        return self._missed - 1

    def stop(self) -> None:
        """Tell it to end after the current item, or to give that back after its grace."""
        self._send({"stop": True})

    def kill(self) -> None:
        """Kill the process group."""
        # The process has not been reaped yet, so the group's number cannot have been reused.
        if self._popen.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message, default=str).encode() + b"\n")

    async def _handshake(self, setup: dict[str, Any]) -> None:
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)
        self._send(setup)
        line = await reader.readline()
        if not line:
            raise Ended(f"worker process {self.pid} ended during its start; see the log for the reason")
        self.name = json.loads(line)["ready"]
        self._listening = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Read its messages until it ends, then clean up."""
        try:
            while line := await reader.readline():
                if b"took" in line:
                    self._acknowledged()
                self._missed = 0
        except (OSError, ValueError):
            pass
        finally:
            self.kill()
            await self._clean()

    async def _clean(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._sock.close()
        self._life.close()
        self.status = await asyncio.to_thread(self._popen.wait)
        self.closed.set()


def _launch(sock: socket.socket, life: socket.socket) -> subprocess.Popen[bytes]:
    """Start the worker's program.

    Not `multiprocessing`: it would run the server's `__main__` again in each worker, and hang if a user's script has no
    guard. Python starts programs by vfork and exec, which is safe with gRPC's threads.
    """
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    environment = os.environ | {
        "PYTHONPATH": path,
        "OMP_THREAD_LIMIT": "1",  # one worker per processor: more threads would only compete
        "OPENBLAS_NUM_THREADS": "1",
    }
    return subprocess.Popen(  # noqa: S603  # this interpreter, with a number for argument
        [sys.executable, "-P", "-m", "artificer_services.batch.worker", str(life.fileno())],
        stdin=sock.fileno(),
        stdout=2,  # keeps what libraries print out of the server's standard output
        env=environment,
        pass_fds=(life.fileno(),),
        start_new_session=True,
    )
