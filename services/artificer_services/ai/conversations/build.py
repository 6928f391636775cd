"""Makes the room of conversations of its settings: its database, use cases, background work and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from prometheus_client.registry import Collector

from ...kit.errors import Unavailable
from ...kit.periodic import Periodic
from ...kit.storage.state import StoreMetrics, state_of
from . import database
from .answers import AnswerStreams
from .conversations import Conversations
from .dialogue import Dialogues
from .interfaces import ChatModels, Collections, GroundedAnswers
from .metrics import AnswerMetrics
from .runner import Runner
from .settings import ConversationSettings
from .sql_store import SqlStore

_RETENTION_SECONDS = 600.0  # what is kept for days may stay minutes longer
_DAY = 86_400.0


class ConversationRoom:
    """Conversations with everything behind them. Opens nothing before `start`.

    Without `collections` and `grounded` no conversation can be bound to collections.
    """

    def __init__(
        self,
        settings: ConversationSettings,
        models: ChatModels,
        collections: Collections | None = None,
        grounded: GroundedAnswers | None = None,
        *,
        data_dir: str,
        database_url: str = "",
    ) -> None:
        """Raises ValueError for a malformed URL."""
        self.settings = settings
        self.database = database.connect(
            data_dir=data_dir, database_url=database_url, connections=settings.database_connections
        )
        self.store = SqlStore(self.database)
        answers = AnswerMetrics()
        self.runner = Runner(self.store, settings, answers.ended)
        answers.running = lambda: self.runner.count
        self.conversations = Conversations(self.store, models, collections, self.runner, settings)
        self.streams = AnswerStreams(self.store, models, grounded, self.runner, settings)
        self.dialogues = Dialogues(self.conversations, self.streams, max_waiting=settings.max_waiting)
        self._metrics = StoreMetrics("conversations", partial(self.database.read, state_of))
        self._retention = Periodic("conversation-retention", self._purge, _RETENTION_SECONDS)
        upstream = [self.database.upstream] if self.database.upstream else []
        self.collectors: Sequence[Collector] = [answers, self._metrics, *upstream]

    async def start(self) -> None:
        """Migrate the database, which is tried again in the background if its server is down, and start the rest.

        Raises the database's own errors if it cannot be used.
        """
        await self.database.open()
        self.runner.start()
        if self.settings.keep_days:
            self._metrics.retaining()
            self._retention.start()
        self._metrics.start()

    def begin_shutdown(self) -> None:
        """End open Converse calls that wait for the caller, which would block a graceful stop."""
        self.dialogues.begin_shutdown()

    async def stop(self) -> None:
        """Stop running answers, store what they have, then close everything."""
        await self._retention.stop()
        await self._metrics.stop()
        await self.runner.stop()
        await self.database.close()

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            await self.database.ping()
        except Unavailable:
            return False
        return True

    async def _purge(self) -> None:
        while await self.store.purge(self.settings.keep_days * _DAY):
            pass
        self._metrics.retained()
