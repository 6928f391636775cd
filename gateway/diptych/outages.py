"""Logs an outage once, counts its repetitions, and logs its end.

It knows nothing of what is down. It imports only the standard library, since worker processes of services need it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

_REMIND_SECONDS = 600.0  # after which a lasting outage is logged again, with the number of its failures
# Without a failure, after which an outage is over. A dependency that fails every other call, such as a server that has
# too few connections, would otherwise begin and end an outage each time, with two lines.
_QUIET_SECONDS = 10.0


def _in_thread(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    with suppress(RuntimeError):  # the interpreter ends
        timer.start()


class OutageLog:
    """The outages of one dependency, such as "the message store". Thread-safe.

    `clock` returns seconds; `later` calls a function after some seconds, in any thread.
    """

    def __init__(
        self,
        logger: logging.Logger,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], None] = _in_thread,
    ) -> None:
        self._logger, self._name, self._clock, self._later = logger, name, clock, later
        self._lock = threading.Lock()
        self._failures = 0
        self._since = self._told = self._last = 0.0
        self._recovered: float | None = None  # the first success since the last failure
        self._waiting = False  # for the outage to be over

    @property
    def lasting(self) -> bool:
        """Returns whether the last attempt has failed; cheap enough to ask in every call."""
        return self._failures > 0 and self._recovered is None

    def failed(self, error: object) -> None:
        """Counts a failure; the first of an outage is logged, and then one every ten minutes."""
        now = self._clock()
        with self._lock:
            self._failures += 1
            self._last, self._recovered = now, None
            count, first = self._failures, self._failures == 1
            if first:
                self._since = now
            elif now - self._told < _REMIND_SECONDS:
                return
            self._told = now
        if first:
            self._logger.warning("%s: %s; retrying, further failures are counted", self._name, one_line(error))
        else:
            seconds = now - self._since
            self._logger.warning("%s: %d failures in %.0f s, now: %s", self._name, count, seconds, one_line(error))

    def recovered(self) -> None:
        """Notes a success; an outage ends, and its end is logged, ten seconds after its last failure."""
        if not self.lasting:
            return
        with self._lock:
            if self._recovered is None:
                self._recovered = self._clock()
        self._end_or_wait()

    def over(self) -> None:
        """Ends an outage at once; for work that is done with its first success."""
        with self._lock:
            count, self._failures, self._recovered = self._failures, 0, None
            seconds = self._clock() - self._since
        if count:
            self._tell_end(count, seconds)

    def _end_or_wait(self) -> None:
        with self._lock:
            recovered, rest = self._recovered, self._last + _QUIET_SECONDS - self._clock()
            # Otherwise the next success comes back to it, or the timer does.
            if not self._failures or recovered is None or self._waiting:
                return
            self._waiting = rest > 0
            if not self._waiting:
                count, seconds = self._failures, recovered - self._since
                self._failures, self._recovered = 0, None
        if rest > 0:
            self._later(rest, self._waited)
        else:
            self._tell_end(count, seconds)

    def _waited(self) -> None:
        with self._lock:
            self._waiting = False
        self._end_or_wait()

    def _tell_end(self, count: int, seconds: float) -> None:
        self._logger.info("%s is available again after %d failures in %.0f s", self._name, count, seconds)


def one_line(error: object) -> str:
    """Returns an error's text on one line; drivers add SQL statements and hints on further ones."""
    text = str(error) or repr(error)
    return " ".join(text.split("\n[SQL:")[0].split("\n(Background")[0].split())
