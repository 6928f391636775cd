"""The access log: one line per call, buffered briefly and written in batches.

It knows no call. `logs` formats the lines; without it they are plain records of `logging`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

LOGGER = "diptych.access"
FLUSH_SECONDS = 0.2
# A full buffer is written at once, which bounds its memory.
_MOST = 1000


class AccessHandler(logging.Handler):
    """A handler of `diptych.access` that writes batches of lines, which `logging`'s interface cannot."""

    def write(self, lines: list[tuple[float, dict[str, Any]]]) -> None:
        """Writes lines, each with the time of its call's end in seconds since 1970."""
        raise NotImplementedError


class AccessLog:
    """The buffer of lines; used on one event loop."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, dict[str, Any]]] = []
        self._timer: asyncio.TimerHandle | None = None

    def line(self, fields: dict[str, Any]) -> None:
        """Adds a line, to be written within `FLUSH_SECONDS`."""
        self._lines.append((time.time(), fields))
        if len(self._lines) >= _MOST:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Writes the buffered lines."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            _write(lines)


def _write(lines: list[tuple[float, dict[str, Any]]]) -> None:
    logger = logging.getLogger(LOGGER)
    for handler in logger.handlers:
        if isinstance(handler, AccessHandler):
            handler.write(lines)
            return
    for _, fields in lines:
        logger.info(
            "%s %s/%s %s %.3f ms",
            *(fields[name] for name in ("protocol", "service", "method", "code", "duration_ms")),
            extra={"call": fields},
        )
