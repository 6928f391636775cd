"""The logic of chat: checks drafts, stores them, and serves readers.

Works on a `Store` and a `Broker`. Knows no gRPC, no protos and no database.
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
from .hub import ChannelReader, Hub, Listening
from .settings import ChatSettings
from .store import Appended, Draft, File, Message, Store, User, id_of
from .writer import Writer

DEFAULT_PAGE = 50
_ORDERS = {"": False, "create_time": False, "create_time asc": False, "create_time desc": True}


class BeyondEnd(ServiceError):
    """The client names a message that the channel does not have, as after a database restore."""

    kind = Kind.OUT_OF_RANGE
    reason = "BEYOND_END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a reader starts: after a message's id, or with the newest `history` messages; None means all of them."""

    after: str = ""
    history: int | None = None
    field: str = "after"  # the request field of the id, for error messages


class Chat:
    """Channels and their messages. Runs nothing before `start`."""

    def __init__(self, store: Store, broker: Broker, settings: ChatSettings) -> None:
        self.settings = settings
        self._store, self._broker = store, broker
        self._hub = Hub(
            store, messages=settings.queue_messages, max_bytes=settings.queue_bytes, batch=settings.history_batch
        )
        self._writer = Writer(store, self._stored)
        # Notifications can be lost when a process or a connection dies.
        self._sweep = Periodic("chat-sweep", self._hub.sweep, settings.sweep_seconds)

    async def start(self) -> None:
        """Start receiving notifications from other processes."""
        await self._broker.start(self._hub.notified, self._sweep.poke)
        self._sweep.start()

    async def stop(self) -> None:
        """Store all accepted messages, end every reader, and close the broker's connections."""
        await self._writer.close()
        await self._sweep.stop()
        await self._broker.stop()
        await self._hub.close()

    def begin_shutdown(self) -> None:
        """End every live stream with `Unavailable`; sends are still accepted."""
        self._hub.begin_shutdown()

    @property
    def healthy(self) -> bool:
        """Whether new messages from other processes arrive at once rather than with the next sweep."""
        return self._broker.healthy

    def _stored(self, messages: Sequence[Message]) -> None:
        self._hub.stored(messages)
        for channel, sequence in {message.channel: message.sequence for message in messages}.items():
            self._broker.publish(channel, sequence)

    # Reading.

    async def get(self, channel: str, id_: str, *, files: bool) -> Message:
        """Returns one message. Raises Invalid, NotFound."""
        rules.check_channel(channel, self.settings)
        message = await self._store.get(channel, rules.place_of("id", id_), files=files)
        if message is None:
            raise NotFound(f"channel '{channel}' has no message '{id_}'")
        return message

    async def page(self, channel: str, *, size: int, token: str, order: str, files: bool) -> tuple[list[Message], str]:
        """Returns a page of messages and the token of the next one. Raises Invalid."""
        rules.check_channel(channel, self.settings)
        descending = _ORDERS.get(" ".join(order.split()))
        faults = size_faults(size)
        if descending is None:
            faults.append(Fault("order_by", f"must be 'create_time' or 'create_time desc', not {order[:64]!r}"))
        if faults:
            raise Invalid(*faults)
        scope = (channel, "desc" if descending else "asc")
        edge = number_of(token, *scope) if token else None
        limit = page_size(size, DEFAULT_PAGE)
        found = await self._page(channel, limit, edge, files=files, descending=bool(descending))
        if not found or (descending and found[-1].sequence == 1):
            return found, ""
        if not descending and found[-1].sequence >= (await self._store.last([channel]))[channel]:
            return found, ""
        return found, token_of(str(found[-1].sequence), *scope)

    async def _page(
        self, channel: str, limit: int, edge: int | None, *, files: bool, descending: bool
    ) -> list[Message]:
        largest = self.settings.max_page_bytes
        if not descending:
            return await self._store.read(channel, after=edge or 0, limit=limit, max_bytes=largest, files=files)
        before = 2**63 - 1 if edge is None else edge
        return await self._store.read(channel, after=0, before=before, limit=limit, max_bytes=largest, files=files)

    @asynccontextmanager
    async def listen(
        self, channel: str, start: Start, *, files: bool
    ) -> AsyncIterator[tuple[Listening, ChannelReader]]:
        """Read a channel's messages from `start` on, then new ones. Raises Invalid, BeyondEnd."""
        rules.check_channel(channel, self.settings)
        if start.history is not None and start.history < 0:
            raise Invalid(Fault("history_size", f"must not be negative, but is {start.history}"))
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
        # Another process may have just stored it.
        last = (await self._store.last([channel]))[channel]
        if after > last:
            end = f"ends at message {id_of(last)}" if last else "has no messages"
            raise BeyondEnd(f"channel '{channel}' {end}; cannot resume after {id_of(after)}")
        self._hub.notified(channel, last)

    # Sending.

    def draft(self, channel: str, user: User | None, content: str, files: Sequence[File], request_id: str) -> Draft:
        """Returns a valid draft. Raises Invalid with every fault."""
        return rules.draft(channel, user, content, files, request_id, self.settings)

    def submit(self, draft: Draft) -> asyncio.Future[Appended]:
        """Queue a draft behind all earlier ones; `settled` turns the future's result into the outcome."""
        return self._writer.submit(draft)

    async def send(self, draft: Draft) -> Appended:
        """Store a draft durably. Raises Conflict, Unavailable."""
        return settled(await self._writer.submit(draft))

    async def ping(self) -> None:
        """Check that the store answers. Raises Unavailable."""
        await self._store.ping()


def settled(appended: Appended) -> Appended:
    """Returns the outcome of a draft. Raises Conflict if its request id belongs to a different message."""
    if not appended.same:
        message = appended.message
        raise Conflict(
            f"request_id {message.request_id!r} was already used for message {message.id}, which has different content",
            id=message.id,
        )
    return appended
