"""Chat itself: checks drafts, stores them, and serves readers.

Knows neither gRPC nor protos, and no database: it works on a `Store` and a `Broker`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..kit.errors import Conflict, Fault, Invalid, Kind, NotFound, ServiceError
from ..kit.paging import number_of, page_size, size_faults, token_of
from ..kit.periodic import Periodic
from . import rules
from .broker import Broker
from .hub import Hub, Listening, Reader
from .settings import ChatSettings
from .store import Appended, Draft, File, Message, Store, User, id_of
from .writer import Writer

DEFAULT_PAGE = 50
_ORDERS = {"": False, "create_time": False, "create_time asc": False, "create_time desc": True}


class BeyondEnd(ServiceError):
    """The client has seen a message that the channel does not have, as after a restore of the database."""

    kind = Kind.OUT_OF_RANGE
    reason = "BEYOND_END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a reader begins: after a message's id, or `history` messages before now; None means all of them."""

    after: str = ""
    history: int | None = None
    field: str = "after"  # where the id came from, for the error


class Chat:
    """Channels and their messages. Nothing runs before `start`."""

    def __init__(self, store: Store, broker: Broker, settings: ChatSettings) -> None:
        self.settings = settings
        self._store, self._broker = store, broker
        self._hub = Hub(
            store, messages=settings.queue_messages, max_bytes=settings.queue_bytes, batch=settings.history_batch
        )
        self._writer = Writer(store, self._stored)
        # Notifications can be lost: with the process that owed them, or with a connection.
        self._sweep = Periodic("chat-sweep", self._hub.sweep, settings.sweep_seconds)

    async def start(self) -> None:
        """Begin to receive notifications of other processes."""
        await self._broker.start(self._hub.told, self._sweep.poke)
        self._sweep.start()

    async def stop(self) -> None:
        """Store what was accepted, end every reader, and close the broker's connections."""
        await self._writer.close()
        await self._sweep.stop()
        await self._broker.stop()
        await self._hub.close()

    def begin_shutdown(self) -> None:
        """End every live stream with `Unavailable`; sends go on."""
        self._hub.begin_shutdown()

    @property
    def healthy(self) -> bool:
        """Whether new messages of other processes arrive at once, and not with the next sweep."""
        return self._broker.healthy

    def _stored(self, messages: Sequence[Message]) -> None:
        self._hub.stored(messages)
        for channel, sequence in {message.channel: message.sequence for message in messages}.items():
            self._broker.publish(channel, sequence)

    # Reading.

    async def get(self, channel: str, id_: str, *, files: bool) -> Message:
        """Return one message. Raises Invalid, NotFound."""
        rules.check_channel(channel, self.settings)
        message = await self._store.get(channel, rules.place_of("id", id_), files=files)
        if message is None:
            raise NotFound(f"channel {channel} has no message {id_}")
        return message

    async def page(self, channel: str, *, size: int, token: str, order: str, files: bool) -> tuple[list[Message], str]:
        """Return a page of messages and the token of the next one. Raises Invalid."""
        rules.check_channel(channel, self.settings)
        descending = _ORDERS.get(" ".join(order.split()))
        faults = size_faults(size)
        if descending is None:
            faults.append(Fault("order_by", "must be create_time or create_time desc"))
        if faults:
            raise Invalid(*faults)
        asked = (channel, "desc" if descending else "asc")
        edge = number_of(token, *asked) if token else None
        limit = page_size(size, DEFAULT_PAGE)
        found = await self._page(channel, limit, edge, files=files, descending=bool(descending))
        if not found or (descending and found[-1].sequence == 1):
            return found, ""
        if not descending and found[-1].sequence >= (await self._store.last([channel]))[channel]:
            return found, ""
        return found, token_of(str(found[-1].sequence), *asked)

    async def _page(
        self, channel: str, limit: int, edge: int | None, *, files: bool, descending: bool
    ) -> list[Message]:
        largest = self.settings.max_page_bytes
        if not descending:
            return await self._store.read(channel, after=edge or 0, limit=limit, max_bytes=largest, files=files)
        before = 2**63 - 1 if edge is None else edge
        return await self._store.read(channel, after=0, before=before, limit=limit, max_bytes=largest, files=files)

    @asynccontextmanager
    async def listen(self, channel: str, start: Start, *, files: bool) -> AsyncIterator[tuple[Listening, Reader]]:
        """Read a channel from a place on, and its new messages. Raises Invalid, BeyondEnd."""
        rules.check_channel(channel, self.settings)
        if start.history is not None and start.history < 0:
            raise Invalid(Fault("history_size", "must not be negative"))
        after = rules.place_of(start.field, start.after) if start.after else None
        async with self._hub.listen(channel) as listening:
            if after is not None:
                await self._check_end(channel, after, listening)
            elif start.history is not None:
                after = max(listening.last - start.history, 0)
            yield listening, listening.read(after or 0, files=files)

    async def _check_end(self, channel: str, after: int, listening: Listening) -> None:
        if after <= listening.last:
            return
        # Another process may have stored it a moment ago.
        last = (await self._store.last([channel]))[channel]
        if after > last:
            raise BeyondEnd(f"channel {channel} ends at {id_of(last) or 'its beginning'}, before {id_of(after)}")
        self._hub.told(channel, last)

    # Sending.

    def draft(self, channel: str, user: User | None, content: str, files: Sequence[File], request_id: str) -> Draft:
        """Return a message that can be stored. Raises Invalid with every fault."""
        return rules.draft(channel, user, content, files, request_id, self.settings)

    def submit(self, draft: Draft) -> asyncio.Future[Appended]:
        """Begin to store a draft, after all submitted before it; `settled` tells the outcome."""
        return self._writer.submit(draft)

    async def send(self, draft: Draft) -> Appended:
        """Store a draft; it is on disk when this returns. Raises Conflict, Unavailable."""
        return settled(await self._writer.submit(draft))

    async def ping(self) -> None:
        """Return where the store answers; raises Unavailable."""
        await self._store.ping()


def settled(appended: Appended) -> Appended:
    """Return the outcome of a draft. Raises Conflict where its request id belongs to a different message."""
    if not appended.same:
        message = appended.message
        raise Conflict(
            f"request_id {message.request_id!r} belongs to message {message.id}, which has different content",
            id=message.id,
        )
    return appended
