"""Collections as their clients meet them: a real gateway over a real SQLite or PostgreSQL, with scripted models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from artificer.ai.v1 import ai_worker_service_pb2_grpc as worker_rpc
from artificer.rag.v1 import rag_service_pb2_grpc as rag_rpc
from artificer_services.ai.build import AiSettings
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.models.settings import ScriptedChatSettings, ScriptedEmbeddingSettings
from artificer_services.ai.reading.settings import ReadingSettings
from tests.services.ai.serving import Faces, serve
from tests.services.postgres import Postgres

LEAVE = "Every employee has 30 days of leave. Leave that is not taken by March expires."
HOTEL = "Hotels may cost at most 120 euros a night. Trains are booked in second class."
KINDS = ["sqlite", "postgres"]


@dataclass(frozen=True)
class Doors:
    """A running service and clients of both faces."""

    faces: Faces
    rag: rag_rpc.RagServiceAsyncStub
    worker: worker_rpc.AiWorkerServiceAsyncStub

    async def post(self, path: str, json: Any = None, **more: Any) -> Any:
        """The decoded answer to a POST, with its status if it is an error."""
        answer = await self.faces.http.post(path, json=json, **more)
        return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json())


def settings(place: dict[str, Any], **more: Any) -> AiSettings:
    """Settings with scripted models: `hotel` answers with a mark, `leave` without, `turning` again and again."""
    return AiSettings(
        **place,
        chat_models={
            "hotel": ScriptedChatSettings(replies=("A hotel may cost 120 euros a night [1][7].",)),
            "leave": ScriptedChatSettings(replies=("You have 30 days of leave.",)),
            "echo": ScriptedChatSettings(context_tokens=400),
            "turning": ScriptedChatSettings(replies=("A hotel may cost 120 euros. It is paid by card. " * 40,)),
            "breaking": ScriptedChatSettings(replies=("one two three four five",), fail_after=2),
        },
        default_chat_model="hotel",
        embedding_models={
            "words": ScriptedEmbeddingSettings(dimension=64),
            "small": ScriptedEmbeddingSettings(dimension=32),
        },
        default_embedding_model="words",
        **more,
    )


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where the services keep their data, for a database of each kind."""
    found = {"data_dir": str(tmp_path / "data")}
    if request.param == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        found["database_url"] = postgres.fresh()
    return found


@pytest.fixture
async def doors(place: dict[str, Any], tmp_path: Path) -> AsyncIterator[Doors]:
    """The doors of a running service; `tmp_path / "docs"` is a root of its file: URIs."""
    (tmp_path / "docs").mkdir()
    chosen = settings(
        place,
        library=LibrarySettings(max_document_bytes=100_000, max_document_chars=50_000),
        reading=ReadingSettings(roots=(str(tmp_path / "docs"),), max_asset_bytes=100_000),
    )
    async with serve(chosen) as faces:
        yield Doors(faces, rag_rpc.RagServiceStub(faces.channel), worker_rpc.AiWorkerServiceStub(faces.channel))


@pytest.fixture
async def filled(doors: Doors) -> Doors:
    """The doors of a service with the collection `rules` of two documents."""
    await doors.post("/v1/collections?collection_id=rules", {"display_name": "Rules"})
    for name, text in (("leave", LEAVE), ("travel", HOTEL)):
        await doors.post(
            f"/v1/collections/rules/documents?document_id={name}&metadata[kind]=rule",
            content=text.encode(),
            headers={"content-type": "text/plain"},
        )
    return doors
