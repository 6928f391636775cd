"""Rates counted for several processes in Redis or Valkey, by the `limits` library, with a time-out.

It knows no call. While the storage is unreachable, one call per `storage_retry_seconds` tries it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from ..settings.limits import LimitsSettings, Rate
from .windows import Count

logger = logging.getLogger("diptych.limits")

_STRATEGIES: dict[str, type[RateLimiter]] = {
    "sliding": SlidingWindowCounterRateLimiter,
    "moving": MovingWindowRateLimiter,
}


class SharedStorage:
    """The shared storage of rates. `url` is `limits.storage_url`."""

    def __init__(self, url: str, settings: LimitsSettings) -> None:
        self._seconds, self._retry = settings.storage_timeout_seconds, settings.storage_retry_seconds
        self._open = settings.storage_fail == "open"
        # redis-py serves both Redis and Valkey, but knows only the scheme `redis`.
        uri = f"async+{url.replace('valkey', 'redis', 1)}"
        self._storage = RedisStorage(
            uri,
            implementation="redispy",
            key_prefix="diptych",
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
        )
        self._limiter = _STRATEGIES[settings.strategy](self._storage)
        self._items: dict[Rate, RateLimitItem] = {}
        self._away_until: float | None = None

    async def hit(self, rate: Rate, name: str, key: str) -> Count | None:
        """Counts a call for the rule `name`; returns None if the storage is unreachable."""
        if self._away_until is not None:
            now = time.monotonic()
            if now < self._away_until:
                return None
            self._away_until = now + self._retry  # this call tries the storage; others do not wait for it
        item = self._items.get(rate) or self._items.setdefault(rate, RateLimitItemPerSecond(*rate))
        try:
            async with asyncio.timeout(self._seconds):
                allowed = await self._limiter.hit(item, name, key)
                stats = await self._limiter.get_window_stats(item, name, key)
        except (TimeoutError, OSError, RedisError) as wrong:
            self._lost(wrong)
            return None
        if self._away_until is not None:
            self._away_until = None
            logger.info("the storage of limits is reachable again")
        return Count(allowed, max(0, stats.remaining), max(0.0, stats.reset_time - time.time()))

    def _lost(self, wrong: Exception) -> None:
        if self._away_until is None:
            then = "each process counts on its own" if self._open else "limited calls are refused"
            logger.warning(
                "the storage of limits is unreachable (%s); until it returns, %s", type(wrong).__name__, then
            )
        self._away_until = time.monotonic() + self._retry

    async def close(self) -> None:
        """Closes the connections."""
        bridge: Any = self._storage.bridge
        await bridge.get_connection().aclose()
