"""Makes the chat service from its settings: its servicer, lifecycle and readiness.

The only module that a composition root imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc
from fastapi import FastAPI

from artificer.chat.v1 import message_service_pb2_grpc
from diptych.upstream import Upstream

from ..kit.errors import Unavailable
from ..kit.lifecycle import Service
from ..kit.site import add_page
from ..kit.storage.state import StoreMetrics, state_of
from . import database
from .broker import Broker, MemoryBroker
from .engine import Chat
from .retention import Retention
from .servicer import MessageServicer
from .settings import ChatSettings
from .sql_store import SqlStore

_PAGE = Path(__file__).with_name("page") / "index.html"


class ChatService(Service):
    """The servicer and everything behind it."""

    name = "chat"
    grpc_name = "artificer.chat.v1.MessageService"

    def __init__(self, settings: ChatSettings | None = None) -> None:
        """Raises ValueError for a malformed URL."""
        self.settings = settings = settings or ChatSettings()
        notify = None
        broker: Broker = MemoryBroker()
        if settings.broker_kind == "postgres":
            # Imported only when chosen: SQLite needs no PostgreSQL driver, and neither needs the Redis client.
            from .postgres_broker import CHANNEL, PostgresBroker

            notify, broker = CHANNEL, PostgresBroker(settings.database_url)
        elif settings.broker_kind == "redis":
            from .redis_broker import RedisBroker

            broker = RedisBroker(settings.redis_url, settings.redis_channel)
        self.database = database.connect(settings)
        self.chat = Chat(SqlStore(self.database, notify=notify), broker, settings)
        self.servicer = MessageServicer(self.chat)
        self.metrics = StoreMetrics(self.name, lambda: self.database.read(state_of))
        self._retention = Retention(self.database, settings.keep_days, self.metrics.retained)

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server."""
        message_service_pb2_grpc.add_MessageServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Migrate the database and start listening; a server that is down is tried again in the background.

        Raises the database's own errors if it cannot be used.
        """
        if self.settings.keep_days:
            self.metrics.retaining()
        await self.database.open()
        await self.chat.start()
        self._retention.start()
        self.metrics.start()

    def begin_shutdown(self) -> None:
        """End live streams, which would block a graceful stop; sends are still accepted."""
        self.chat.begin_shutdown()

    async def stop(self) -> None:
        """Store all accepted messages, then close everything."""
        await self._retention.stop()
        await self.metrics.stop()
        await self.chat.stop()
        await self.database.close()

    @property
    def collectors(self) -> Sequence[Upstream | StoreMetrics]:
        """The metrics of the database and of its circuit breaker."""
        return [self.metrics, *filter(None, [self.database.upstream])]

    def add_page(self, app: FastAPI) -> None:
        """Serve the page at /chat if the setting `page` is on."""
        if self.settings.page:
            add_page(app, "/chat", _PAGE)

    async def ready(self) -> bool:
        """Whether messages can be stored and notifications from other processes arrive."""
        if not self.chat.healthy:
            return False
        try:
            await self.chat.ping()
        except Unavailable:
            return False
        return True


def build(settings: ChatSettings | None = None) -> ChatService:
    """Returns the chat service. Raises ValueError for invalid settings."""
    return ChatService(settings)


__all__ = ["ChatService", "ChatSettings", "build"]
