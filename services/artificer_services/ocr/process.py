"""One worker process, as the server sees it: starts it, sends it tasks, ends it.

Owns the process, its sockets and its folder, and leaves none of them behind. Knows nothing of documents or fairness.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from ..kit.processes import exists
from . import wire

_FOLDER = "diptych-ocr-"


class Ended(Exception):
    """The process has ended; `began` says whether it had begun the task, `status` is its exit status if it is known."""

    def __init__(self, began: bool, status: int | None = None) -> None:
        super().__init__("the worker process ended")
        self.began, self.status = began, status


class WorkerProcess:
    """A worker process that is ready. `closed` is set once it has ended for any reason."""

    def __init__(
        self, popen: subprocess.Popen[bytes], sock: socket.socket, life: socket.socket, folder: str | None
    ) -> None:
        self.pid = popen.pid
        self.closed = asyncio.Event()
        self.greeting: wire.Frame = {}
        self.seen: set[int] = set()  # documents it may have open
        self.tasks = 0
        self._popen = popen
        self._sock = sock
        self._life = life
        self._folder = folder
        self._began = False
        self._answer: asyncio.Future[wire.Frame] | None = None
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, setup: wire.Frame, start_seconds: float) -> WorkerProcess:
        """Start a process and wait until it is ready. Raises Ended, or TimeoutError after `start_seconds`."""
        ours, theirs = socket.socketpair()
        life, their_life = socket.socketpair()
        # Only the `tesseract` program needs files; with Tesseract in the process, kill -9 leaves nothing to clean up.
        folder = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-") if setup["ocr_engine"] == "pytesseract" else None
        try:
            popen = _launch((theirs.fileno(), their_life.fileno()), folder)
        except BaseException:
            ours.close()
            life.close()
            _remove(folder)
            raise
        finally:
            theirs.close()
            their_life.close()
        worker = cls(popen, ours, life, folder)
        try:
            async with asyncio.timeout(start_seconds):
                await worker._greet(setup)
        except BaseException:
            worker.kill()
            await worker.wait_closed()
            raise
        return worker

    @property
    def busy(self) -> bool:
        """Whether it has begun a task and not answered it."""
        return self._began and self._answer is not None and not self._answer.done()

    async def call(self, task: wire.Frame, fd: int) -> wire.Frame:
        """Run a task, one at a time. Raises Ended. After a cancellation the worker must be killed."""
        if self.closed.is_set():
            raise Ended(began=False)
        self._began = False
        self.tasks += 1
        self._answer = asyncio.get_running_loop().create_future()
        try:
            wire.send(self._sock, task, fd)
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
            wire.send(self._sock, {"forget": document})
        except OSError:
            self.kill()

    def kill(self) -> None:
        """Kill the process and its children."""
        # The process is not reaped yet, so its group id cannot belong to another process.
        if self._popen.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def wait_closed(self) -> None:
        """Wait until the process has ended and is cleaned up; it must have been killed or end by itself."""
        if self._listening is not None:
            await asyncio.wait({self._listening})
        else:
            await self._clean()

    async def _greet(self, setup: wire.Frame) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=self._sock, limit=1 << 20)
        self._answer = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen(reader, writer))
        wire.send(self._sock, setup)
        self.greeting = await self._answer

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Receive answers until the process ends, then clean up after it."""
        try:
            while True:
                length = wire.unpack_length(await reader.readexactly(wire.HEADER))
                frame = wire.unpack(await reader.readexactly(length))
                if "began" in frame:
                    self._began = True
                elif self._answer is not None and not self._answer.done():
                    self._answer.set_result(frame)
        except (asyncio.IncompleteReadError, OSError, ValueError):
            pass
        finally:
            self.closed.set()
            self.kill()
            writer.close()
            await self._clean()
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(Ended(self._began, self._popen.returncode))

    async def _clean(self) -> None:
        self._sock.close()
        self._life.close()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        self._popen.wait()
        _remove(self._folder)


def _launch(fds: tuple[int, int], folder: str | None) -> subprocess.Popen[bytes]:
    """Start the worker program.

    Not by `multiprocessing`, which would run the server's `__main__` again in each worker and hang if a user's script
    has no guard. Python starts programs by vfork and exec, which is safe with gRPC's threads.
    """
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    environment = os.environ | {
        "PYTHONPATH": path,
        "OMP_THREAD_LIMIT": "1",  # otherwise libgomp starts more threads than cores: measured 2.3 times slower
    }
    if folder:
        environment["TMPDIR"] = folder
    return subprocess.Popen(  # noqa: S603  # this interpreter, with numbers for arguments
        [sys.executable, "-P", "-m", "artificer_services.ocr.worker", *map(str, fds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # libraries print to it
        env=environment,
        pass_fds=fds,
        start_new_session=True,
    )


def _remove(folder: str | None) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        owner = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if owner.isdecimal() and not exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
