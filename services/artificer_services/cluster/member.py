"""One process of a cluster: started, watched, started again when it dies, stopped.

Knows what a process is, and nothing of what any of them does.
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

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds before a dead member is started again
_STEADY_SECONDS = 5.0  # after so long a life its next death is a first one again
_LOOK_SECONDS = 0.05  # how often a log is looked at for the line that says that all is well
_TAIL = 2000  # characters of a log that are shown
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ClusterError(Exception):
    """The cluster cannot run; the text says what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a member runs. `ready` is found in its log when it can be used."""

    name: str
    command: Sequence[str]
    ready: re.Pattern[str]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    user: str | None = None  # whom it runs as, where that is not whoever starts it
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 20.0


class Member:
    """A process that lives until it is stopped. `tell` hears what happens to it."""

    def __init__(self, program: Program, log: Path, tell: Callable[[str], None]) -> None:
        self.program, self.log = program, log
        self.starts = 0
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._offset = 0
        self._ready = asyncio.Event()
        self._found: re.Match[str] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self, seconds: float = 60.0) -> re.Match[str]:
        """Start it and wait until it can be used; what `ready` found. Raises ClusterError where it cannot."""
        await self._spawn()
        try:
            async with asyncio.timeout(seconds):
                await self._until_ready()
        except TimeoutError:
            await self._end(signal.SIGKILL)
            raise ClusterError(f"{self.program.name} is not ready after {seconds:g} seconds:\n{self._tail()}") from None
        if self._found is None:
            raise ClusterError(f"{self.program.name} ended with {self._code()}:\n{self._tail()}")
        self._keeping = asyncio.create_task(self._keep(), name=f"keep-{self.program.name}")
        return self._found

    async def ready(self) -> None:
        """Return when it can be used."""
        await self._ready.wait()

    async def stop(self) -> None:
        """Ask it to end, and end it where it does not; its children with it. It may be started again."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
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
                # Ctrl-C is for whoever keeps the members: they are stopped in their order.
                start_new_session=True,
                preexec_fn=partial(self._die_with, os.getpid()),
            )

    def _die_with(self, parent: int) -> None:
        if _libc is not None:  # nobody would stop them if this process were killed
            # Until the program runs nothing else answers to the signal: the parent's handler would swallow it.
            signal.signal(self.program.stop_signal, signal.SIG_DFL)
            _libc.prctl(_PR_SET_PDEATHSIG, int(self.program.stop_signal))
            if os.getppid() != parent:  # it was killed before it could be told of
                os._exit(1)

    async def _until_ready(self) -> None:
        """Return when the log says that it is ready, or it has ended."""
        while self.pid is not None:
            self._found = self.program.ready.search(self._said())
            if self._found is not None:
                self._ready.set()
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _keep(self) -> None:
        pause, name = _FIRST_PAUSE, self.program.name
        while self._process is not None:
            began = time.monotonic()
            await self._process.wait()
            self._ready.clear()
            self._sweep_up()
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            self._tell(f"{name} ended with {self._code()}, starting it again")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                await self._spawn()
                await self._until_ready()
            except OSError as error:
                self._tell(f"{name} cannot be started: {error}")
            if self._found is not None:
                self._tell(f"{name} runs again")

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
                self._tell(f"{self.program.name} does not end, and is killed")
                process.kill()
                await process.wait()
        self._sweep_up()
        self._ready.clear()

    def _sweep_up(self) -> None:
        """End what a dead member has left behind."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _said(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._offset)
            return file.read().decode("utf-8", "replace")

    def _tail(self) -> str:
        return self._said()[-_TAIL:].strip()

    def _code(self) -> str:
        code = None if self._process is None else self._process.returncode
        return f"signal {-code}" if code is not None and code < 0 else f"status {code}"
