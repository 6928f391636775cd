"""Finds `async def` servicers that block the event loop, and logs them by the name of their method.

A thread asks the event loop for a sign of life twice within `seconds`; without one, the frames of the loop's thread
show which servicer runs. Nothing is added to a call.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import threading
import time
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

from ..methods import Handler
from .adapt import behaviour_of, is_async

logger = logging.getLogger("diptych")

# A method that always blocks would otherwise be logged for every call.
_REMIND_SECONDS = 60.0


class BlockingWatch:
    """Watches the running event loop from `start` to `stop`; `seconds` is how long a servicer may block it."""

    def __init__(self, handlers: Mapping[str, Handler], seconds: float) -> None:
        self._seconds, self._paths = seconds, _paths(handlers)
        self._told: dict[str, float] = {}
        self._alive, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread; call it on the event loop's thread."""
        if self._thread is None and self._paths:
            arguments = (asyncio.get_running_loop(), threading.get_ident())
            self._thread = threading.Thread(target=self._watch, args=arguments, name="diptych-blocking", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._alive.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        alive, half = self._alive, self._seconds / 2
        while not self._ended.is_set():
            alive.clear()
            try:
                loop.call_soon_threadsafe(alive.set)
            except RuntimeError:  # the loop is closed
                return
            if alive.wait(half):
                self._ended.wait(half)
            else:
                self._look(thread)
                alive.wait()

    def _look(self, thread: int) -> None:
        """Logs what runs on the loop's thread, if that is a servicer."""
        innermost = frame = sys._current_frames().get(thread)
        while frame is not None:
            path = self._paths.get(frame.f_code)
            if path is not None:
                self._tell(path, innermost)
                return
            frame = frame.f_back

    def _tell(self, path: str, innermost: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._told.get(path, -_REMIND_SECONDS) < _REMIND_SECONDS or innermost is None:
            return
        self._told[path] = now
        logger.warning(
            "%s blocks the event loop, and with it every other call, at %s:%d in %s: await instead, or write the "
            "method as a plain def, which runs in a thread",
            path,
            innermost.f_code.co_filename,
            innermost.f_lineno,
            innermost.f_code.co_qualname,
        )


def _paths(handlers: Mapping[str, Handler]) -> Mapping[CodeType, str]:
    """Returns the path of the code of each `async def` servicer, or several paths if methods share it."""
    found: dict[CodeType, list[str]] = {}
    for path, handler in handlers.items():
        behaviour = behaviour_of(handler)
        code = _code(behaviour) if is_async(behaviour) else None
        if code is not None:
            found.setdefault(code, []).append(path)
    return {code: " or ".join(paths) for code, paths in found.items()}


def _code(behaviour: Any) -> CodeType | None:
    """Returns the code of a function below its decorators and partials."""
    while True:
        if isinstance(behaviour, functools.partial):
            behaviour = behaviour.func
        elif hasattr(behaviour, "__wrapped__"):
            behaviour = behaviour.__wrapped__
        else:
            break
    if not hasattr(behaviour, "__code__"):  # a callable object
        behaviour = type(behaviour).__call__
    code = getattr(behaviour, "__code__", None)
    return code if isinstance(code, CodeType) else None  # a mock's attributes are mocks
