"""Waiting for what nobody tells of: the one place of the tests where something is looked at again and again.

Where there is an event, a pipe or a pidfd, that is waited for instead. Knows nothing of what is looked at.
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

PATIENCE = 60.0  # seconds until what should come about counts as missed
_PAUSE = 0.01  # seconds between two looks
T = TypeVar("T")
Failures = tuple[type[Exception], ...]


def wait_for(condition: Callable[[], T], *, patience: float = PATIENCE, passing: Failures = ()) -> T:
    """Look until something is so; what was found. `passing` errors mean: not yet. Raises TimeoutError, saying what."""
    return _look(condition, patience, passing, threading.Event())


async def until(condition: Callable[[], T], *, patience: float = PATIENCE, passing: Failures = ()) -> T:
    """The same beside an event loop that goes on: the condition may block, since it is looked at in a thread."""
    over = threading.Event()
    try:
        return await asyncio.to_thread(_look, condition, patience, passing, over)
    finally:
        over.set()  # whoever waited is gone: a thread must not go on for him


async def until_here(condition: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """The same on the event loop, for what belongs to it."""
    end = time.monotonic() + patience
    while not (found := condition()):
        _in_time(end, condition)
        await asyncio.sleep(_PAUSE)
    return found


async def until_told(ask: Callable[[], Awaitable[T]], *, patience: float = PATIENCE) -> T:
    """Ask until the answer is anything but false or empty; that answer."""
    end = time.monotonic() + patience
    while not (found := await ask()):
        _in_time(end, ask)
        await asyncio.sleep(_PAUSE)
    return found


async def answered(
    ask: Callable[[], Awaitable[T]], unanswered: Callable[[Exception], bool], *, patience: float = PATIENCE
) -> T:
    """Ask until there is an answer. An error that is not `unanswered` is one, and so is any when patience is over."""
    end = time.monotonic() + patience
    while True:
        try:
            return await ask()
        except Exception as error:
            if time.monotonic() > end or not unanswered(error):
                raise
        await asyncio.sleep(_PAUSE)


def pidfds(pids: Iterable[int]) -> list[int]:
    """Descriptors for `exited`, of those processes that are still there."""
    found = []
    for pid in pids:
        with suppress(ProcessLookupError):
            found.append(os.pidfd_open(pid))
    return found


async def exited(*fds: int, patience: float = PATIENCE) -> None:
    """Wait until the processes behind pidfds have ended, whosever children they are; closes the pidfds."""
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
    """Where a condition is written, and its first line."""
    code = getattr(condition, "__code__", None)
    if code is None:
        return repr(condition)
    line = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}: {line}"
