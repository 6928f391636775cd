"""The access log: a line a call, gathered for a moment and written at once.

It knows no call, and no form of lines but the plain one for whoever configured no log of ours.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

LOGGER = "diptych.access"
FLUSH_SECONDS = 0.2
# As many are written at once without waiting for the moment, so that what waits is bounded.
_MOST = 1000


class AccessHandler(logging.Handler):
    """A handler of `diptych.access` that takes lines by the hundred, as nothing of `logging` could."""

    def write(self, lines: list[tuple[float, dict[str, Any]]]) -> None:
        """Write lines, each with the time of its call's end in seconds since 1970."""
        raise NotImplementedError


class AccessLog:
    """Lines on their way to the log; used on one event loop."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, dict[str, Any]]] = []
        self._timer: asyncio.TimerHandle | None = None

    def line(self, fields: dict[str, Any]) -> None:
        """Write a line soon."""
        self._lines.append((time.time(), fields))
        if len(self._lines) >= _MOST:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what waits."""
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
