"""What chat does: finds drafts good, stores them, and lets people listen.

Knows neither gRPC nor protos, and no database: it works on a `Store` and a `Broker`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from . import rules
from .broker import Broker
from .errors import BeyondEnd, ChatError, Conflict, Fault, Invalid, NotFound
from .hub import Hub, Listening, Reader
from .pages import sequence_of_token, token_of
from .settings import ChatSettings
from .store import Appended, Draft, File, Message, Store, User, id_of
from .writer import Writer

_log = logging.getLogger(__name__)

DEFAULT_PAGE, LARGEST_PAGE = 50, 1000
_ORDERS = {"": False, "create_time": False, "create_time asc": False, "create_time desc": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a reader begins: after a message's id, or `history` messages before now; None means all of them."""

    after: str = ""
    history: int | None = None
    field: str = "after"  # what the id came in as, for the error


class Chat:
    """Channels and their messages. Nothing runs before `start`."""

    def __init__(self, store: Store, broker: Broker, settings: ChatSettings) -> None:
        self.settings = settings
        self._store, self._broker = store, broker
        self._hub = Hub(
            store, messages=settings.queue_messages, max_bytes=settings.queue_bytes, batch=settings.history_batch
        )
        self._writer = Writer(store, self._stored)
        self._sweeper: asyncio.Task[None] | None = None
        self._swept = asyncio.Event()

    async def start(self) -> None:
        """Begin to hear from other processes."""
        await self._broker.start(self._hub.told, self._swept.set)
        self._sweeper = asyncio.create_task(self._sweep(), name="chat-sweep")

    async def stop(self) -> None:
        """Store what was taken, end every reader, and hear no more."""
        await self._writer.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self._broker.stop()
        await self._hub.close()

    def part(self) -> None:
        """End every live stream with `Unavailable`; sends go on."""
        self._hub.part()

    @property
    def healthy(self) -> bool:
        """Whether new messages of other processes come at once, and not with the next sweep."""
        return self._broker.healthy

    def _stored(self, messages: Sequence[Message]) -> None:
        self._hub.stored(messages)
        for channel, sequence in {message.channel: message.sequence for message in messages}.items():
            self._broker.publish(channel, sequence)

    async def _sweep(self) -> None:
        """Notifications can be lost: with the process that owed them, or with a connection."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.sweep_seconds):
                    await self._swept.wait()
            self._swept.clear()
            try:
                await self._hub.sweep()
            except ChatError as error:
                _log.warning("the sweep: %s", error.message)
            except Exception:  # without it, what a lost notification told would never be seen
                _log.exception("the sweep failed")

    # Reading.

    async def get(self, channel: str, id_: str, *, files: bool) -> Message:
        """One message. Raises Invalid, NotFound."""
        rules.check_channel(channel, self.settings)
        message = await self._store.get(channel, rules.place_of("id", id_), files=files)
        if message is None:
            raise NotFound(f"channel {channel} has no message {id_}")
        return message

    async def page(self, channel: str, *, size: int, token: str, order: str, files: bool) -> tuple[list[Message], str]:
        """A page of messages and the token of the next one. Raises Invalid."""
        rules.check_channel(channel, self.settings)
        descending = _ORDERS.get(" ".join(order.split()))
        faults = []
        if descending is None:
            faults.append(Fault("order_by", "must be create_time or create_time desc"))
        if size < 0:
            faults.append(Fault("page_size", "must not be negative"))
        if faults:
            raise Invalid(*faults)
        asked = (channel, "desc" if descending else "asc")
        edge = sequence_of_token(token, *asked) if token else None
        limit = min(size or DEFAULT_PAGE, LARGEST_PAGE)
        found = await self._page(channel, limit, edge, files=files, descending=bool(descending))
        if not found or (descending and found[-1].sequence == 1):
            return found, ""
        if not descending and found[-1].sequence >= (await self._store.last([channel]))[channel]:
            return found, ""
        return found, token_of(found[-1].sequence, *asked)

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
        """Read a channel from a place on, and what comes. Raises Invalid, BeyondEnd."""
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
        """A message that may be stored. Raises Invalid with all its faults."""
        return rules.draft(channel, user, content, files, request_id, self.settings)

    def submit(self, draft: Draft) -> asyncio.Future[Appended]:
        """Begin to store a draft, after all that were submitted before it; `settled` says what came of it."""
        return self._writer.submit(draft)

    async def send(self, draft: Draft) -> Appended:
        """Store a draft; on disk when this returns. Raises Conflict, Unavailable."""
        return settled(await self._writer.submit(draft))

    async def ping(self) -> None:
        """Returns where the store answers; raises Unavailable."""
        await self._store.ping()


def settled(appended: Appended) -> Appended:
    """What became of a draft. Raises Conflict where its request id has been used for something else."""
    if not appended.same:
        message = appended.message
        raise Conflict(
            f"request_id {message.request_id!r} belongs to message {message.id}, which has another content", message.id
        )
    return appended
