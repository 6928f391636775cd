"""Notifications between processes by Redis pub/sub.

Owns two connections and their reconnects. Redis does not store notifications: those that could not be sent are sent
after the reconnect, and each new subscription reports a possible gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

from redis import asyncio as redis
from redis.exceptions import RedisError

from diptych.outages import OutageLog

from .broker import OnGap, OnNotification, parse, payload_of

_log = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0  # seconds between attempts to connect
_HEALTH_SECONDS = 10  # how long a subscription may be silent before it is pinged


class RedisBroker:
    """Sends and listens on the pub/sub channel `name`, which all processes of one database share."""

    def __init__(self, url: str, name: str) -> None:
        """Raises ValueError if `url` is not a Redis URL."""
        self._name = name
        self._client: redis.Redis = redis.Redis.from_url(
            url, decode_responses=True, health_check_interval=_HEALTH_SECONDS, socket_connect_timeout=10
        )
        self._unsent: dict[str, int] = {}
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listening = False
        self._receiving = OutageLog(_log, "Redis' notifications of new messages")
        self._sending = OutageLog(_log, "sending notifications of new messages to Redis")

    @property
    def healthy(self) -> bool:
        """Whether the subscription is established."""
        return self._listening

    async def start(self, notified: OnNotification, gap: OnGap) -> None:
        """Start listening and sending; see `Broker`."""
        self._tasks = [
            asyncio.create_task(self._listen(notified, gap), name="chat-listen-redis"),
            asyncio.create_task(self._send(), name="chat-publish-redis"),
        ]

    def publish(self, channel: str, sequence: int) -> None:
        """Queue a notification; only the greatest number of each channel is sent."""
        self._unsent[channel] = max(sequence, self._unsent.get(channel, 0))
        self._more.set()

    async def stop(self) -> None:
        """Close both connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(RedisError, OSError):
            await self._client.aclose()

    async def _listen(self, notified: OnNotification, gap: OnGap) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=False) as subscription:
                    await subscription.subscribe(self._name)
                    while True:
                        found = await subscription.get_message(timeout=_HEALTH_SECONDS)
                        if found is None:
                            await subscription.ping()  # detects a connection that died silently
                        elif found["type"] == "subscribe":
                            self._listening, wait = True, _FIRST_WAIT
                            self._receiving.recovered()
                            gap()
                        elif found["type"] == "message" and (received := parse(found["data"])) is not None:
                            notified(*received)
            except (RedisError, OSError) as error:
                self._receiving.failed(error)
            finally:
                self._listening = False
            await _pause(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def _send(self) -> None:
        wait = _FIRST_WAIT
        while True:
            await self._more.wait()
            self._more.clear()
            unsent, self._unsent = self._unsent, {}
            try:
                async with self._client.pipeline(transaction=False) as pipeline:
                    for channel, sequence in unsent.items():
                        pipeline.publish(self._name, payload_of(channel, sequence))
                    await pipeline.execute()
                wait = _FIRST_WAIT
                self._sending.recovered()
            except (RedisError, OSError) as error:
                self._sending.failed(error)
                for channel, sequence in unsent.items():
                    self.publish(channel, sequence)
                await _pause(wait)
                wait = min(wait * 2, _LONGEST_WAIT)


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds * random.uniform(0.5, 1))  # noqa: S311, spreads reconnects
