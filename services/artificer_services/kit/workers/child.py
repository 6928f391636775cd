"""A child process of the server: starts it, receives its frames, ends it, and leaves nothing of it behind.

Owns the process, its sockets and its folder. Knows nothing of what the frames say: `process` gives it one task at a
time, `streams` many requests at once.
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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Self

from ..processes import exists
from . import wire

_FOLDER = "diptych-worker-"
# Otherwise libgomp starts more threads than cores: measured 2.3 times slower in Tesseract.
_ONE_THREAD = MappingProxyType({"OMP_THREAD_LIMIT": "1"})


class Program(NamedTuple):
    """The worker program of a service."""

    name: str  # for messages, such as "OCR"
    module: str  # which is run as `python -m`, and calls `serve` or `serve_streams`
    scratch: bool = False  # whether it needs a folder for temporary files; without one, kill -9 leaves nothing behind
    environment: Mapping[str, str] = _ONE_THREAD  # variables that it gets beyond the server's own


class Ended(Exception):
    """The process has ended; `began` says whether it had begun the task, `status` is its exit status if it is known."""

    def __init__(self, began: bool, status: int | None = None) -> None:
        super().__init__("the worker process ended")
        self.began, self.status = began, status


class ChildProcess:
    """A process that has greeted the server. `closed` is set once it has ended for any reason."""

    def __init__(
        self, popen: subprocess.Popen[bytes], sock: socket.socket, life: socket.socket, folder: str | None
    ) -> None:
        self.pid = popen.pid
        self.closed = asyncio.Event()
        self.greeting: wire.Frame = {}
        self.sock = sock
        self._popen = popen
        self._life = life
        self._folder = folder
        self._greeted: asyncio.Future[wire.Frame] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, program: Program, setup: wire.Frame, start_seconds: float) -> Self:
        """Start a process and wait until it is ready. Raises Ended, or TimeoutError after `start_seconds`."""
        ours, theirs = socket.socketpair()
        life, their_life = socket.socketpair()
        folder = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-") if program.scratch else None
        try:
            popen = _launch(program, (theirs.fileno(), their_life.fileno()), folder)
        except BaseException:
            ours.close()
            life.close()
            _remove(folder)
            raise
        finally:
            theirs.close()
            their_life.close()
        child = cls(popen, ours, life, folder)
        try:
            async with asyncio.timeout(start_seconds):
                await child._greet(setup)
        except BaseException:
            child.kill()
            await child.wait_closed()
            raise
        return child

    @property
    def status(self) -> int | None:
        """The exit status once the process has ended; negative for a signal."""
        return self._popen.returncode

    def received(self, frame: wire.Frame) -> None:
        """Take a frame that the process sent after its greeting."""
        raise NotImplementedError

    def ended(self) -> None:
        """Fail what waits for the process, which has ended and is cleaned up."""
        raise NotImplementedError

    def write(self, frame: wire.Frame) -> None:
        """Send a frame of any size, after those that are not sent yet; nothing if the process has ended."""
        if self._writer is not None and not self.closed.is_set():
            self._writer.write(wire.pack(frame))

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
        reader, self._writer = await asyncio.open_unix_connection(sock=self.sock, limit=1 << 20)
        self._listening = asyncio.create_task(self._listen(reader, self._writer))
        wire.send(self.sock, setup)
        self.greeting = await self._greeted

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Receive frames until the process ends, then clean up after it."""
        try:
            while True:
                length = wire.unpack_length(await reader.readexactly(wire.HEADER))
                frame = wire.unpack(await reader.readexactly(length))
                if self._greeted.done():
                    self.received(frame)
                else:
                    self._greeted.set_result(frame)
        except (asyncio.IncompleteReadError, OSError, ValueError):
            pass
        finally:
            self.closed.set()
            self.kill()
            writer.close()
            await self._clean()
            if not self._greeted.done():
                self._greeted.set_exception(Ended(False, self.status))
            self.ended()

    async def _clean(self) -> None:
        self.sock.close()
        self._life.close()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        self._popen.wait()
        _remove(self._folder)


def _launch(program: Program, fds: tuple[int, int], folder: str | None) -> subprocess.Popen[bytes]:
    """Start the worker program.

    Not by `multiprocessing`, which would run the server's `__main__` again in each worker and hang if a user's script
    has no guard. Python starts programs by vfork and exec, which is safe with gRPC's threads.
    """
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    environment = os.environ | {
        "PYTHONPATH": path,
        **program.environment,
    }
    if folder:
        environment["TMPDIR"] = folder
    return subprocess.Popen(  # noqa: S603  # this interpreter, with a module of ours
        [sys.executable, "-P", "-m", program.module, *map(str, fds)],
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
