"""When a failed call is tried again, and after how long. Pure: it neither calls nor sleeps."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .errors import APIConnectionError, APIError, ResourceExhaustedError, UnavailableError

TOO_SLOW = "READER_TOO_SLOW"
"""The reason with which a server ends a stream of messages whose reader is too slow; it may go on where it was."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter; what the server asks for (Retry-After, google.rpc.RetryInfo) wins."""

    first: float = 0.2  # seconds
    longest: float = 5.0
    longest_asked: float = 60.0  # a server that asks for more is not waited for

    def wait(self, error: APIError, attempt: int, *, repeatable: bool) -> float | None:
        """Returns the seconds to wait after failed attempt number `attempt` (from 1), or None to give up.

        `repeatable` says that the call may be sent again even if the server has received it.
        """
        unsent = isinstance(error, APIConnectionError) and not error.sent
        if not (repeatable or unsent):
            return None
        if error.retry_after is not None and isinstance(error, UnavailableError | ResourceExhaustedError):
            return error.retry_after if error.retry_after <= self.longest_asked else None
        if not isinstance(error, UnavailableError) and error.reason != TOO_SLOW:
            return None
        return random.uniform(0, min(self.longest, self.first * 2 ** min(attempt - 1, 30)))  # noqa: S311, spreads clients
