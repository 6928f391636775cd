"""Makes the AI services from their settings: their servicers, lifecycle and readiness.

The only module that a composition root imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from fastapi import FastAPI
from prometheus_client.registry import Collector

from artificer.ai.v1 import ai_worker_service_pb2_grpc
from artificer.conversation.v1 import conversation_service_pb2_grpc
from artificer.openai.v1 import openai_service_pb2_grpc
from artificer.rag.v1 import rag_service_pb2_grpc
from diptych import ServiceCheck

from ..kit.errors import Unavailable
from ..kit.lifecycle import Service
from ..kit.site import add_page
from .conversations.build import ConversationRoom
from .grounding.answers import Answers
from .library.assets import AssetJobs, Assets
from .library.build import library_of
from .models.catalog import Models
from .reading.sources import Blobs, Sources
from .reading.text_reader import TextReader
from .reading.values import Reader
from .servicers.conversation import ConversationServicer
from .servicers.openai_form import OpenAIServicer
from .servicers.rag import RagServicer
from .servicers.worker import AiWorkerServicer
from .settings import AiSettings

_BASE64_FACTOR = 1.5  # base64 is a third larger, and the other fields need space too
_PAGE = Path(__file__).with_name("page") / "index.html"


class AiService(Service):
    """The servicers and everything behind them. Runs no model before its first use."""

    name = "ai"
    grpc_name = "artificer.ai.v1.AiWorkerService"

    def __init__(
        self,
        settings: AiSettings | None = None,
        *,
        readers: Sequence[Reader] = (),
        blobs: Blobs | None = None,
        jobs: AssetJobs | None = None,
    ) -> None:
        """Raises InvalidSetting for a model that cannot be made of its settings.

        Plain text is read without `readers`. `blobs` and `jobs` are the batch service's; None without one.
        """
        self.settings = settings = settings or AiSettings()
        self.models = Models(settings)
        readers = (TextReader(), *readers)
        self.library = library_of(
            settings.library, self.models, readers, data_dir=settings.data_dir, database_url=settings.database_url
        )
        self.answers = Answers(self.library, self.models)
        assets = Assets(self.library, Sources(settings.reading, blobs), readers, settings.reading, jobs)
        self.worker = AiWorkerServicer(self.models, self.library, assets)
        self.rag = RagServicer(self.library, self.answers)
        self.openai = OpenAIServicer(self.models)
        self.conversations = ConversationRoom(
            settings.conversations,
            self.models,
            self.library,
            self.answers,
            data_dir=settings.data_dir,
            database_url=settings.database_url,
        )

    @property
    def grpc_names(self) -> tuple[str, ...]:
        """The proto services whose models need no store. AiWorkerService's two methods with collections do."""
        return self.grpc_name, "artificer.openai.v1.OpenAIService"

    @property
    def checks(self) -> Mapping[str, ServiceCheck]:
        """A check for models and one for each store, so that models are served while a store is down."""
        return {
            **super().checks,
            "rag": ServiceCheck(self._finds, ("artificer.rag.v1.RagService",)),
            "conversation": ServiceCheck(self.conversations.ready, ("artificer.conversation.v1.ConversationService",)),
        }

    @property
    def body_limits(self) -> Mapping[str, int]:
        """The body size of the largest asset as base64 in JSON. CreateDocument is a stream, and counts itself."""
        return {f"/{self.grpc_name}/ProcessAsset": int(self.settings.reading.max_asset_bytes * _BASE64_FACTOR)}

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicers to a server."""
        room = self.conversations
        ai_worker_service_pb2_grpc.add_AiWorkerServiceServicer_to_server(self.worker, server)
        rag_service_pb2_grpc.add_RagServiceServicer_to_server(self.rag, server)
        openai_service_pb2_grpc.add_OpenAIServiceServicer_to_server(self.openai, server)
        conversation_service_pb2_grpc.add_ConversationServiceServicer_to_server(
            ConversationServicer(room.conversations, room.streams, room.dialogues), server
        )

    async def start(self) -> None:
        """Check the files that the settings name. Models start with their first use."""
        await self.models.start()
        await self.library.start()
        await self.conversations.start()

    def begin_shutdown(self) -> None:
        """End streams that wait for their callers, which would block a graceful stop; answers continue."""
        self.conversations.begin_shutdown()

    async def stop(self) -> None:
        """End the models' processes and connections; running calls fail with UNAVAILABLE."""
        await self.conversations.stop()
        await self.library.stop()
        await self.models.stop()

    @property
    def collectors(self) -> Sequence[Collector]:
        """The metrics of the models and of the databases."""
        return [*self.models.collectors, *self.library.collectors, *self.conversations.collectors]

    def add_page(self, app: FastAPI) -> None:
        """Serve the page at /assistant if the setting `page` is on."""
        if self.settings.page:
            add_page(app, "/assistant", _PAGE)

    async def _finds(self) -> bool:
        try:
            await self.library.ping()
        except Unavailable:
            return False
        return True

    async def ready(self) -> bool:
        """Whether models can be used: always, since the first call starts a model's process."""
        return True


def build(settings: AiSettings | None = None) -> AiService:
    """Returns the AI services. Raises ValueError for invalid settings."""
    return AiService(settings)


__all__ = ["AiService", "AiSettings", "build"]
