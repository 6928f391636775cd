"""A store that is left alone while it does not answer, so that calls fail at once instead of filling up its threads.

It knows no database.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from diptych.upstream import Upstream, UpstreamRefused

from .errors import Unavailable
from .settings import ChatSettings
from .store import Appended, Draft, Message, Store

T = TypeVar("T")


def upstream_of(settings: ChatSettings) -> Upstream:
    """The breaker and bulkhead in front of the message store; only that it cannot be reached is a failure of its."""
    return Upstream(
        "the message store",
        failures=settings.breaker_failures,
        rest_seconds=settings.breaker_seconds,
        most=settings.max_store_calls,
        failed=lambda error: isinstance(error, Unavailable),
    )


class ProtectedStore:
    """A `Store` in front of another."""

    def __init__(self, store: Store, upstream: Upstream) -> None:
        self._store, self._upstream = store, upstream

    async def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._upstream.call(work)
        except UpstreamRefused as refused:
            raise Unavailable(refused.status.message, refused.retry_seconds) from None

    async def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """See `Store`."""
        return await self._call(lambda: self._store.append(drafts))

    async def get(self, channel: str, sequence: int, *, files: bool) -> Message | None:
        """See `Store`."""
        return await self._call(lambda: self._store.get(channel, sequence, files=files))

    async def read(
        self, channel: str, *, after: int, limit: int, max_bytes: int, files: bool, before: int | None = None
    ) -> list[Message]:
        """See `Store`."""
        return await self._call(
            lambda: self._store.read(channel, after=after, limit=limit, max_bytes=max_bytes, files=files, before=before)
        )

    async def last(self, channels: Sequence[str]) -> dict[str, int]:
        """See `Store`."""
        return await self._call(lambda: self._store.last(channels))

    async def ping(self) -> None:
        """See `Store`. Where it is left alone, this is what tries it anew."""
        await self._call(self._store.ping)
