"""Logs an outage once, counts its repetitions, and logs its end.

It knows nothing of what is down. It imports only the standard library, since worker processes of services need it.
"""

from __future__ import annotations

import logging
import threading
import time

_REMIND_SECONDS = 600.0  # after which a lasting outage is logged again, with the number of its failures


class OutageLog:
    """The outages of one dependency, such as "the message store". Thread-safe."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger, self._name = logger, name
        self._lock = threading.Lock()
        self._failures = 0
        self._since = self._told = 0.0

    @property
    def lasting(self) -> bool:
        """Returns whether the last attempt has failed; cheap enough to ask in every call."""
        return self._failures > 0

    def failed(self, error: object) -> None:
        """Counts a failure; the first of an outage is logged, and then one every ten minutes."""
        now = time.monotonic()
        with self._lock:
            self._failures += 1
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
        """Ends the outage, if there is one."""
        if not self._failures:
            return
        with self._lock:
            count, self._failures = self._failures, 0
        if count:
            seconds = time.monotonic() - self._since
            self._logger.info("%s is available again after %d failures in %.0f s", self._name, count, seconds)


def one_line(error: object) -> str:
    """Returns an error's text on one line; drivers add SQL statements and hints on further ones."""
    text = str(error) or repr(error)
    return " ".join(text.split("\n[SQL:")[0].split("\n(Background")[0].split())
