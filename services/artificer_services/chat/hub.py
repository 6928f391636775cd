"""Delivers a channel's messages to its readers without gaps or duplicates; no reader waits for another.

A reader's position in its channel alone decides what it reads next: history from the store, then, once it has caught
up, the channel's feed of newest messages, which all readers share. A live reader that falls behind the feed is ended.
Knows no broker and no protos.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from diptych.outages import OutageLog

from ..kit.errors import TooSlow, Unavailable
from .store import Message, Store, id_of

_log = logging.getLogger(__name__)

TAKE = 64  # the most messages that one `next` returns
_STOPPING = "the chat service is stopping"
HISTORY_BYTES = 4 * 1024 * 1024  # of one read of history; every reader may hold as much at once


class Feed:
    """The newest messages of one channel that has readers in this process."""

    def __init__(self, channel: str, *, messages: int, max_bytes: int) -> None:
        self.channel = channel
        self.readers: set[ChannelReader] = set()
        self.users = 0  # current readers and calls that are still starting one
        self.last = 0  # the newest message in the feed
        self.excused = 0  # readers below it fell behind because of `jump`, through no fault of their own
        self.wanted = 0  # the newest message known from notifications
        self.closed = False
        self.begun: asyncio.Task[None] | None = None
        self.catching: asyncio.Task[None] | None = None
        self._newest: deque[Message] = deque()
        self._bytes = 0
        self._messages, self._max_bytes = messages, max_bytes

    @property
    def first(self) -> int:
        """The oldest message in the feed, or the next one if the feed is empty."""
        return self.last - len(self._newest) + 1

    def fits(self, messages: Sequence[Message]) -> bool:
        """Returns whether the messages are the next ones and all fit into the feed, so that its readers miss none."""
        return (
            self.begun is None
            and self.catching is None
            and messages[0].sequence == self.last + 1
            and len(messages) <= self._messages
            and sum(message.size for message in messages) <= self._max_bytes
        )

    def take(self, after: int) -> list[Message]:
        """Returns the next messages after number `after`, which must be at least `first - 1`."""
        behind = self.last - after
        # Indexed from the right, where readers that keep up are: a deque's middle is slow to reach.
        return [self._newest[-place] for place in range(behind, max(behind - TAKE, 0), -1)]

    def extend(self, messages: Sequence[Message]) -> None:
        """Add the next messages and wake every reader."""
        for message in messages:
            self._newest.append(message)
            self._bytes += message.size
        self.last = messages[-1].sequence
        while len(self._newest) > self._messages or (self._bytes > self._max_bytes and len(self._newest) > 1):
            self._bytes -= self._newest.popleft().size
        self.wake()

    def jump(self, to: int) -> None:
        """Skip messages that do not fit; readers read them from the store, each at its own pace."""
        self._newest.clear()
        self._bytes = 0
        self.last = self.excused = to
        self.wake()

    def wake(self) -> None:
        """Wake every reader."""
        for reader in self.readers:
            reader.poke()

    def tasks(self) -> list[asyncio.Task[None]]:
        """Returns the feed's running tasks."""
        return [task for task in (self.begun, self.catching) if task is not None]


class ChannelReader:
    """One reader's position in a channel; with `files` its history includes files."""

    def __init__(self, feed: Feed, store: Store, place: int, *, batch: int, files: bool) -> None:
        self._feed, self._store, self._batch, self._files = feed, store, batch, files
        self._live = False
        self._awake = asyncio.Event()
        self.place = place
        """The number of the last message that it returned."""

    def poke(self) -> None:
        """Make `next` return, even with no messages."""
        self._awake.set()

    async def next(self) -> list[Message]:
        """Wait for the next messages; returns an empty list after a `poke`. Raises `TooSlow` and `Unavailable`."""
        found = await self._look()
        if not found:
            await self._awake.wait()
            found = await self._look()
        return found

    async def _look(self) -> list[Message]:
        feed = self._feed
        self._awake.clear()
        if feed.closed:
            raise Unavailable(_STOPPING)
        if self.place < feed.first - 1:
            found = await self._history()
        else:
            self._live = True
            found = feed.take(self.place)
        if found:
            self.place = found[-1].sequence
        return found

    async def _history(self) -> list[Message]:
        feed = self._feed
        if self._live and self.place >= feed.excused:
            raise TooSlow(
                f"the client reads too slowly: {feed.last - self.place} messages are waiting;"
                " resume with `after` set to the last id received",
                id_of(self.place),
            )
        self._live = False
        return await self._store.read(
            feed.channel, after=self.place, limit=self._batch, max_bytes=HISTORY_BYTES, files=self._files
        )


class Listening:
    """A subscription to a channel, made before the reader's start is known."""

    def __init__(self, feed: Feed, store: Store, batch: int) -> None:
        self._feed, self._store, self._batch = feed, store, batch
        self._readers: list[ChannelReader] = []

    @property
    def last(self) -> int:
        """The number of the newest message; readers receive every later one live."""
        return self._feed.last

    def read(self, after: int, *, files: bool) -> ChannelReader:
        """Returns a reader of all messages after number `after`; it ends with the subscription."""
        reader = ChannelReader(self._feed, self._store, after, batch=self._batch, files=files)
        self._readers.append(reader)
        self._feed.readers.add(reader)
        return reader

    def leave(self) -> None:
        """End the subscription's readers."""
        self._feed.readers.difference_update(self._readers)


class Hub:
    """The channels that have readers in this process.

    `messages` and `max_bytes` limit how far a reader may fall behind; `batch` is the number of messages in one read of
    history.
    """

    def __init__(self, store: Store, *, messages: int, max_bytes: int, batch: int) -> None:
        self._store = store
        self._messages, self._max_bytes, self._batch = messages, max_bytes, batch
        self._feeds: dict[str, Feed] = {}
        self._outages = OutageLog(_log, "the delivery of new messages")
        self._stopping = False

    @property
    def channels(self) -> list[str]:
        """The channels that have readers."""
        return list(self._feeds)

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[Listening]:
        """Subscribe to a channel. Raises `Unavailable`."""
        if self._stopping:
            raise Unavailable(_STOPPING)
        feed = self._feeds.get(channel)
        if feed is None:
            feed = self._feeds[channel] = Feed(channel, messages=self._messages, max_bytes=self._max_bytes)
            feed.begun = asyncio.create_task(self._begin(feed), name="chat-listen")
        feed.users += 1
        listening = Listening(feed, self._store, self._batch)
        try:
            if feed.begun is not None:
                await asyncio.shield(feed.begun)
            yield listening
        finally:
            listening.leave()
            feed.users -= 1
            self._leave(feed)

    def _leave(self, feed: Feed) -> None:
        if feed.users:
            return
        self._forget(feed)
        for task in feed.tasks():
            task.cancel()

    def _forget(self, feed: Feed) -> None:
        if self._feeds.get(feed.channel) is feed:
            del self._feeds[feed.channel]

    async def _begin(self, feed: Feed) -> None:
        try:
            feed.last = (await self._store.last([feed.channel]))[feed.channel]
        except BaseException:
            self._forget(feed)  # so that the next reader starts a new feed
            raise
        finally:
            feed.begun = None

    def stored(self, messages: Sequence[Message]) -> None:
        """Deliver messages that this process has just stored, without reading them back."""
        by_channel: dict[str, list[Message]] = {}
        for message in messages:
            if message.channel in self._feeds:
                by_channel.setdefault(message.channel, []).append(message)
        for channel, found in by_channel.items():
            feed = self._feeds[channel]
            if feed.fits(found):
                feed.extend(found)
            else:
                self.notified(channel, found[-1].sequence)

    def notified(self, channel: str, sequence: int) -> None:
        """Handle the news that a channel has messages up to `sequence`."""
        feed = self._feeds.get(channel)
        if feed is None or sequence <= feed.last:
            return
        feed.wanted = max(feed.wanted, sequence)
        if feed.catching is None:
            feed.catching = asyncio.create_task(self._catch_up(feed), name="chat-catch-up")

    async def sweep(self) -> None:
        """Find messages whose notification was lost. Raises `Unavailable`."""
        if self._feeds:
            for channel, sequence in (await self._store.last(self.channels)).items():
                self.notified(channel, sequence)

    async def _catch_up(self, feed: Feed) -> None:
        try:
            if feed.begun is not None:
                await asyncio.shield(feed.begun)
            while feed.wanted > feed.last:
                if feed.wanted - feed.last > self._messages:
                    await self._jump(feed)
                    continue
                found = await self._store.read(
                    feed.channel, after=feed.last, limit=self._batch, max_bytes=self._max_bytes, files=True
                )
                if not found:
                    break  # the notification named a message that does not exist
                feed.extend(found)
                self._outages.recovered()
        except Unavailable as error:  # the next sweep finds them
            self._outages.failed(error.message)
        finally:
            feed.catching = None
            feed.wanted = feed.last

    async def _jump(self, feed: Feed) -> None:
        # The store's number counts, not the notification's: two databases that share a broker see each other's.
        last = (await self._store.last([feed.channel]))[feed.channel]
        if last - feed.last > self._messages:
            feed.jump(last)
        feed.wanted = min(feed.wanted, last)

    def begin_shutdown(self) -> None:
        """End every reader with `Unavailable` and refuse new ones."""
        self._stopping = True
        for feed in self._feeds.values():
            feed.closed = True
            feed.wake()

    async def close(self) -> None:
        """Begin the shutdown and end all running tasks."""
        self.begin_shutdown()
        tasks = [task for feed in self._feeds.values() for task in feed.tasks()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
