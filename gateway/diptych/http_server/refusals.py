"""What a listener refuses before any application sees it, and clients that read no response: counted, and said once in
the log, then in sums.

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
    level: int
    count: int = 0
    last: str = ""


class Refusals:
    """Those of one listener. `count` is called with the HTTP status of each refusal, `count_stall` with a protocol."""

    def __init__(self) -> None:
        self.count: Callable[[int], None] = _ignore
        self.count_stall: Callable[[str], None] = _ignore
        self._quiet: dict[str, _Quiet] = {}

    def note(self, reason: str, status: int, peer: str) -> None:
        """Counts one, and logs it unless the same reason was logged within the last minute."""
        self.count(status)
        # A client's fault is no warning; too many connections concern the operator.
        self._say(f"refused {reason} (HTTP {status})", logging.WARNING if status == 503 else logging.INFO, peer)

    def stalled(self, kind: str, peer: str) -> None:
        """Does the same with a response that was ended since its client took nothing of it; `kind` is the protocol."""
        self.count_stall(kind)
        self._say(f"ended a response over {kind} whose client did not read it", logging.INFO, peer)

    def _say(self, event: str, level: int, peer: str) -> None:
        quiet = self._quiet.get(event)
        if quiet is None:
            logger.log(level, "%s of %s; more are counted, and logged once a minute", event, peer)
            self._begin(event, level)
        else:
            quiet.count += 1
            quiet.last = peer

    def _begin(self, event: str, level: int) -> None:
        loop = asyncio.get_running_loop()
        self._quiet[event] = _Quiet(loop.call_later(_QUIET_SECONDS, self._sum, event), level)

    def _sum(self, event: str) -> None:
        quiet = self._quiet.pop(event)
        _tell(event, quiet)
        if quiet.count:
            self._begin(event, quiet.level)

    def close(self) -> None:
        """Logs what was only counted so far."""
        quiet, self._quiet = self._quiet, {}
        for event, one in quiet.items():
            one.timer.cancel()
            _tell(event, one)


def _tell(event: str, quiet: _Quiet) -> None:
    if quiet.count:
        logger.log(quiet.level, "%s %d more times, the last of %s", event, quiet.count, quiet.last)


def _ignore(_: object) -> None:
    return
