"""What a client says of its calls, to `on_call` and to the logger `artificer`: no secrets and no content."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ._options import CallRecord
from .errors import APIError

_LOGGER = logging.getLogger("artificer")


def is_heard(on_call: Callable[[CallRecord], None] | None) -> bool:
    """Returns whether calls are reported to anyone."""
    return on_call is not None or _LOGGER.isEnabledFor(logging.DEBUG)


def report(
    on_call: Callable[[CallRecord], None] | None,
    method: str,
    attempt: int,
    seconds: float,
    error: APIError | None,
    request_id: str,
) -> None:
    """Tells of an attempt that has ended, or whose stream has begun."""
    if not is_heard(on_call):
        return
    code = "OK" if error is None else error.code
    _LOGGER.debug("%s attempt %d: %s after %.3f s [request %s]", method, attempt, code, seconds, request_id)
    if on_call is not None:
        record = CallRecord(method=method, attempt=attempt, seconds=seconds, code=code, request_id=request_id)
        try:
            on_call(record)
        except Exception:  # what watches calls must not end them
            _LOGGER.exception("on_call failed")
