"""One process of a cluster: starts it, restarts it when it dies, and stops it.

Knows processes, and not what any of them does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds before a dead member is restarted
_STEADY_SECONDS = 5.0  # after which a death no longer counts as a repeated one
_POLL_SECONDS = 0.05  # between checks of a log for the ready line
_TAIL = 2000  # characters of the log that an error shows
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ClusterError(Exception):
    """The cluster cannot run; the message says what to fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a member runs. `ready` matches a log line once the program is usable."""

    name: str
    command: Sequence[str]
    ready: re.Pattern[str]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    user: str | None = None  # the user that runs it; None means the current one
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 20.0


class Member:
    """A process that is restarted until it is stopped. `tell` receives a line for each restart."""

    def __init__(self, program: Program, log: Path, tell: Callable[[str], None]) -> None:
        self.program, self.log = program, log
        self.starts = 0
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._offset = 0
        self._ready = asyncio.Event()
        self._found: re.Match[str] | None = None
        self._restarting: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self, seconds: float = 60.0) -> re.Match[str]:
        """Start the process, wait until it is ready and return the match. Raises ClusterError."""
        await self._spawn()
        try:
            async with asyncio.timeout(seconds):
                await self._until_ready()
        except TimeoutError:
            await self._end(signal.SIGKILL)
            raise ClusterError(
                f"{self.program.name} was not ready after {seconds:g} seconds:\n{self._tail()}"
            ) from None
        if self._found is None:
            raise ClusterError(f"{self.program.name} ended with {self._code()}:\n{self._tail()}")
        self._restarting = asyncio.create_task(self._restart(), name=f"restart-{self.program.name}")
        return self._found

    async def ready(self) -> None:
        """Wait until the process is ready."""
        await self._ready.wait()

    async def stop(self) -> None:
        """Stop the process and its children, by force if necessary. It may be started again."""
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        await self._end(self.program.stop_signal)

    async def _spawn(self) -> None:
        self._ready.clear()
        self._found = None
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as file:
            self._offset = file.tell()
            self.starts += 1
            self._process = await asyncio.create_subprocess_exec(
                *self.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self.program.folder,
                env={**os.environ, **self.program.env},
                user=self.program.user,
                # Ctrl-C reaches only the cluster, which stops its members in order.
                start_new_session=True,
                preexec_fn=partial(self._die_with, os.getpid()),
            )

    def _die_with(self, parent: int) -> None:
        if _libc is not None:  # so that the members end even if the cluster is killed
            # The default action until the program runs: the inherited handler would swallow the signal.
            signal.signal(self.program.stop_signal, signal.SIG_DFL)
            _libc.prctl(_PR_SET_PDEATHSIG, int(self.program.stop_signal))
            if os.getppid() != parent:  # the parent was killed before prctl took effect
                os._exit(1)

    async def _until_ready(self) -> None:
        """Wait until the log has the ready line or the process has ended."""
        while self.pid is not None:
            self._found = self.program.ready.search(self._output())
            if self._found is not None:
                self._ready.set()
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _restart(self) -> None:
        pause, name = _FIRST_PAUSE, self.program.name
        while self._process is not None:
            began = time.monotonic()
            await self._process.wait()
            self._ready.clear()
            self._kill_group()
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            self._tell(f"{name} ended with {self._code()}, restarting it")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                await self._spawn()
                await self._until_ready()
            except OSError as error:
                self._tell(f"{name} cannot be started: {error}")
            if self._found is not None:
                self._tell(f"{name} is running again")

    async def _end(self, number: int) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            try:
                async with asyncio.timeout(self.program.stop_seconds):
                    await process.wait()
            except TimeoutError:
                self._tell(f"{self.program.name} did not stop in time, killing it")
                process.kill()
                await process.wait()
        self._kill_group()
        self._ready.clear()

    def _kill_group(self) -> None:
        """Kill the remaining children of a dead member."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _output(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._offset)
            return file.read().decode("utf-8", "replace")

    def _tail(self) -> str:
        return self._output()[-_TAIL:].strip()

    def _code(self) -> str:
        code = None if self._process is None else self._process.returncode
        return f"signal {-code}" if code is not None and code < 0 else f"status {code}"
