"""VectorSearch by texts and vectors, with filters and scores."""

from __future__ import annotations

import pytest

from artificer.ai.v1 import ai_worker_service_pb2 as pb
from tests.services.ai.rag.conftest import HOTEL, Doors


async def test_by_a_text(filled: Doors) -> None:
    request = pb.VectorSearchRequest(collection="rules", text="Trains in second class")
    found = await filled.worker.VectorSearch(request)
    assert found.model == "words"
    assert [one.document for one in found.matches] == ["travel", "leave"]
    best = found.matches[0]
    assert (best.text, best.chunk, best.page, dict(best.metadata)) == (HOTEL, 0, 0, {"kind": "rule"})
    assert best.score > found.matches[1].score


async def test_by_a_vector_with_the_score_of_the_same_text(filled: Doors) -> None:
    made = await filled.worker.GetEmbedding(pb.GetEmbeddingRequest(texts=[HOTEL]))
    request = pb.VectorSearchRequest(collection="rules", vector=made.embeddings[0], top_k=1)
    (match,) = (await filled.worker.VectorSearch(request)).matches
    assert match.document == "travel"
    assert match.score == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("filter_", "count"), [({"kind": "rule"}, 2), ({"kind": "other"}, 0), ({"none": "x"}, 0)])
async def test_filters(filled: Doors, filter_: dict[str, str], count: int) -> None:
    found = await filled.post("/v1/collections/rules:search", {"text": "hotels", "filter": filter_})
    assert len(found.get("matches", [])) == count


async def test_a_least_score(filled: Doors) -> None:
    found = await filled.post("/v1/collections/rules:search", {"text": HOTEL, "min_score": 0.9})
    assert [one["document"] for one in found["matches"]] == ["travel"]
