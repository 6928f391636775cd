"""Waiting for conditions without an event: the only place in the tests that polls.

Tests wait for an event, a pipe or a pidfd instead if there is one. It knows nothing about the conditions.
"""

from __future__ import annotations

import asyncio
import linecache
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

PATIENCE = 60.0  # seconds until a condition counts as missed
_PAUSE = 0.01  # seconds between two checks
T = TypeVar("T")
Failures = tuple[type[Exception], ...]


def wait_for(condition: Callable[[], T], *, patience: float = PATIENCE, passing: Failures = ()) -> T:
    """Polls until the condition holds and returns its value. `passing` errors mean "not yet". Raises TimeoutError."""
    return _look(condition, patience, passing, threading.Event())


async def until(condition: Callable[[], T], *, patience: float = PATIENCE, passing: Failures = ()) -> T:
    """Polls in a thread while the event loop continues, so that the condition may block."""
    over = threading.Event()
    try:
        return await asyncio.to_thread(_look, condition, patience, passing, over)
    finally:
        over.set()  # the waiting task is gone, so the thread must end


async def until_here(condition: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """Polls on the event loop, for conditions on its objects."""
    end = time.monotonic() + patience
    while not (found := condition()):
        _in_time(end, condition)
        await asyncio.sleep(_PAUSE)
    return found


async def until_told(ask: Callable[[], Awaitable[T]], *, patience: float = PATIENCE) -> T:
    """Calls until the answer is truthy and returns it."""
    end = time.monotonic() + patience
    while not (found := await ask()):
        _in_time(end, ask)
        await asyncio.sleep(_PAUSE)
    return found


async def answered(
    ask: Callable[[], Awaitable[T]], unanswered: Callable[[Exception], bool], *, patience: float = PATIENCE
) -> T:
    """Calls until there is an answer. Raises other errors than `unanswered` at once, and any after the time-out."""
    end = time.monotonic() + patience
    while True:
        try:
            return await ask()
        except Exception as error:
            if time.monotonic() > end or not unanswered(error):
                raise
        await asyncio.sleep(_PAUSE)


def pidfds(pids: Iterable[int]) -> list[int]:
    """Returns pidfds for `exited`, of the processes that still run."""
    found = []
    for pid in pids:
        with suppress(ProcessLookupError):
            found.append(os.pidfd_open(pid))
    return found


async def exited(*fds: int, patience: float = PATIENCE) -> None:
    """Waits until the processes behind pidfds have ended, children or not; closes the pidfds."""
    try:
        async with asyncio.timeout(patience):
            for fd in fds:
                await _readable(fd)
    finally:
        for fd in fds:
            os.close(fd)


async def _readable(fd: int) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(fd)


def _look(condition: Callable[[], T], patience: float, passing: Failures, over: threading.Event) -> T:
    end = time.monotonic() + patience
    while True:
        with suppress(*passing):
            if found := condition():
                return found
        _in_time(end, condition)
        if over.wait(_PAUSE):
            raise TimeoutError("nobody waits any more")


def _in_time(end: float, condition: Callable[[], object]) -> None:
    if time.monotonic() > end:
        raise TimeoutError(f"it did not come about: {_named(condition)}")


def _named(condition: Callable[[], object]) -> str:
    """Returns where a condition is defined, and its first line."""
    code = getattr(condition, "__code__", None)
    if code is None:
        return repr(condition)
    line = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}: {line}"
