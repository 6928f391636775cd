"""What a listener refuses before any application sees it: counted, and said once in the log, then in sums.

It knows no protocol. A stranger who sends rubbish must be noticed, but must not fill the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("diptych.refused")

_QUIET_SECONDS = 60.0

LARGE_HEAD = ("a head that is too large", 431)
LATE_HEAD = ("a head that took too long", 408)
TOO_MANY_CONNECTIONS = ("a connection beyond max_connections", 503)
"""Reasons and HTTP statuses that several protocols have."""


@dataclass(slots=True)
class _Quiet:
    """A time in which a reason is only counted."""

    timer: asyncio.TimerHandle
    status: int
    count: int = 0
    last: str = ""


class Refusals:
    """Those of one listener. `count` is called with the HTTP status of each."""

    def __init__(self) -> None:
        self.count: Callable[[int], None] = _ignore
        self._quiet: dict[str, _Quiet] = {}

    def note(self, reason: str, status: int, peer: str) -> None:
        """Counts one, and logs it unless the same reason was logged within the last minute."""
        self.count(status)
        quiet = self._quiet.get(reason)
        if quiet is None:
            _log(status, "refused %s (HTTP %d) of %s; more are counted, and logged once a minute", reason, status, peer)
            self._begin(reason, status)
        else:
            quiet.count += 1
            quiet.last = peer

    def _begin(self, reason: str, status: int) -> None:
        loop = asyncio.get_running_loop()
        self._quiet[reason] = _Quiet(loop.call_later(_QUIET_SECONDS, self._sum, reason), status)

    def _sum(self, reason: str) -> None:
        quiet = self._quiet.pop(reason)
        _tell(reason, quiet)
        if quiet.count:
            self._begin(reason, quiet.status)

    def close(self) -> None:
        """Logs what was only counted so far."""
        quiet, self._quiet = self._quiet, {}
        for reason, one in quiet.items():
            one.timer.cancel()
            _tell(reason, one)


def _tell(reason: str, quiet: _Quiet) -> None:
    if quiet.count:
        text = "refused %s (HTTP %d) %d more times, the last of %s"
        _log(quiet.status, text, reason, quiet.status, quiet.count, quiet.last)


def _log(status: int, text: str, *arguments: object) -> None:
    # A client's fault is no warning; too many connections concern the operator.
    logger.log(logging.WARNING if status == 503 else logging.INFO, text, *arguments)


def _ignore(_: int) -> None:
    return
