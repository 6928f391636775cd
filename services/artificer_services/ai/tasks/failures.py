"""What a failure of a model, a collection or a reader means for an item: whether a retry may help, and what is said.

Knows errors, and no task.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...kit.errors import Kind, ServiceError
from ...kit.task_types import NotDone, Work
from ...kit.workers.errors import Unexpected
from .settings import RetrySettings

_log = logging.getLogger(__name__)

R = TypeVar("R")

_FINAL = frozenset(
    {
        Kind.INVALID_ARGUMENT,
        Kind.NOT_FOUND,
        Kind.ALREADY_EXISTS,
        Kind.FAILED_PRECONDITION,
        Kind.OUT_OF_RANGE,
        Kind.UNIMPLEMENTED,
    }
)


def not_done(error: ServiceError) -> NotDone:
    """Returns the item's error for one of a service. An unexpected one is logged, and its message kept from clients."""
    if isinstance(error, Unexpected):
        _log.error("internal error in a batch task: %s", error.message, exc_info=error)
        return NotDone("internal error", final=False)
    return NotDone(error.message, final=error.kind in _FINAL)


async def persistently(call: Callable[[], Awaitable[R]], work: Work, settings: RetrySettings) -> R:
    """Returns the result of `call`, which is repeated after errors that may pass, as the settings say.

    Raises NotDone with the last error.
    """
    for attempt in range(settings.retries + 1):
        try:
            return await call()
        except ServiceError as error:
            failed, pause = not_done(error), error.retry_seconds
        except NotDone as error:
            failed, pause = error, None
        wait = max(_backoff(attempt, settings), pause or 0.0)
        if failed.final or attempt == settings.retries or (pause or 0.0) > settings.retry_longest_seconds:
            break
        work.log(logging.WARNING, f"{failed.message}; retrying in {wait:.1f} s")
        await asyncio.sleep(wait)
    raise failed


def _backoff(attempt: int, settings: RetrySettings) -> float:
    # Jitter, so that many workers that failed at once do not retry at once.
    longest = min(settings.retry_longest_seconds, settings.retry_first_seconds * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
