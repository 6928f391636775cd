"""Makes the chat service from its settings: the servicer, the life of what is behind it, its readiness.

The only room that a composition root needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from diptych.upstream import Upstream

from . import database
from .broker import Broker, MemoryBroker
from .engine import Chat
from .errors import Unavailable
from .protected import ProtectedStore, upstream_of
from .servicer import MessageServicer
from .settings import ChatSettings
from .site import add_page
from .sql_store import SqlStore
from .store import Store


class ChatService:
    """The servicer and everything behind it. Cheap to make: nothing runs, and nothing is opened, before `start`."""

    def __init__(self, settings: ChatSettings | None = None) -> None:
        """Raises ValueError for a URL that is none."""
        self.settings = settings = settings or ChatSettings()
        self._engine, threads = database.connect(settings)
        notify = None
        broker: Broker = MemoryBroker()
        if settings.broker_kind == "postgres":
            # Imported where it is chosen: SQLite needs no PostgreSQL driver, and neither needs Redis's.
            from .postgres_broker import CHANNEL, PostgresBroker

            notify, broker = CHANNEL, PostgresBroker(settings.database_url)
        elif settings.broker_kind == "redis":
            from .redis_broker import RedisBroker

            broker = RedisBroker(settings.redis_url, settings.redis_channel)
        self.store = SqlStore(self._engine, threads=threads, notify=notify)
        # A file cannot be away; a server can.
        self.upstream = upstream_of(settings) if settings.database_url else None
        store: Store = self.store if self.upstream is None else ProtectedStore(self.store, self.upstream)
        self.chat = Chat(store, broker, settings)
        self.servicer = MessageServicer(self.chat)

    async def start(self) -> None:
        """Bring the database up to date and listen. Raises what the database raises where it cannot be used."""
        await asyncio.to_thread(database.prepare, self._engine, self.settings)
        await self.chat.start()

    def part(self) -> None:
        """End live streams, which would keep a stop waiting; their callers are told to come again."""
        self.chat.part()

    async def stop(self) -> None:
        """Store what was taken, then close everything."""
        await self.chat.stop()
        await self.store.close()

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """The service's life as an async context manager; whatever app it is given is left alone."""
        try:
            await self.start()
            yield
        finally:
            await asyncio.shield(self.stop())

    @property
    def collectors(self) -> list[Upstream]:
        """Metrics of the service's own."""
        return [] if self.upstream is None else [self.upstream]

    def add_page(self, app: FastAPI) -> None:
        """Serve the page at /chat, where the settings want it."""
        if self.settings.page:
            add_page(app)

    async def ready(self) -> bool:
        """Whether messages can be stored, and those of other processes are heard of."""
        if not self.chat.healthy:
            return False
        try:
            await self.chat.ping()
        except Unavailable:
            return False
        return True


def build(settings: ChatSettings | None = None) -> ChatService:
    """Make the chat service. Raises ValueError for settings that cannot work."""
    return ChatService(settings)


__all__ = ["ChatService", "ChatSettings", "build"]
