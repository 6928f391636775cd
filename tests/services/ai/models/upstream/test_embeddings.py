"""Vectors of servers with OpenAI's protocol."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from artificer_services.ai.models.errors import Broken, Refused, TimedOut, Unavailable
from artificer_services.ai.models.settings import UpstreamEmbeddingSettings
from artificer_services.ai.models.upstream.embeddings import UpstreamEmbeddings
from artificer_services.kit.errors import ServiceError
from tests.services.ai.models.upstream.servers import Answer, Server, serve
from tests.services.ai.models.upstream.test_chat import answering, cut_before_the_head, silent

USAGE = {"prompt_tokens": 7, "total_tokens": 7}


def item(values: Any, index: int) -> dict[str, Any]:
    return {"object": "embedding", "embedding": values, "index": index}


def whole(*items: Any, **fields: Any) -> Answer:
    return lambda request: request.answer(200, {"data": list(items), **fields})


@asynccontextmanager
async def model_of(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[UpstreamEmbeddings, Server]]:
    async with serve(*answers) as server:
        model = UpstreamEmbeddings("e", UpstreamEmbeddingSettings(base_url=server.url, dimension=2, **settings))
        try:
            yield model, server
        finally:
            await model.stop()


async def test_vectors_come_in_the_order_of_the_texts_with_length_1() -> None:
    async with model_of(whole(item([0, 2], 1), item([3, 4], 0), usage=USAGE), model="theirs") as (model, server):
        made = await model.embed(["a", "b"])
        await model.embed(["a", "b"])
    assert made.vectors.dtype == np.float32
    assert made.vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 1]]
    assert (made.tokens, made.exact) == (7, True)
    assert server.requests[0].path == "/v1/embeddings"
    assert server.requests[0].body == {"model": "theirs", "input": ["a", "b"], "encoding_format": "float"}
    assert server.connections == 1


async def test_base64_is_read_and_tokens_are_estimated_if_the_server_does_not_count() -> None:
    values = base64.b64encode(np.array([0, 5], "<f4").tobytes()).decode()
    async with model_of(whole({"embedding": values})) as (model, _):
        made = await model.embed(["two words"])
    assert made.vectors.tolist() == [[0, 1]]
    assert (made.tokens, made.exact) == (2, False)


async def test_a_large_answer_is_read() -> None:
    values = np.random.default_rng(1).standard_normal(20_000).tolist()
    async with serve(whole(item(values, 0), item(values, 1))) as server:
        model = UpstreamEmbeddings("e", UpstreamEmbeddingSettings(base_url=server.url, dimension=20_000))
        made = await model.embed(["a", "b"])
        await model.stop()
    assert made.vectors.shape == (2, 20_000)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (whole(item([1, 2, 3], 0)), Broken, "3 values, and the setting `dimension` is 2"),
        (whole(item([[1, 2]], 0)), Broken, "no list of values"),
        (whole(item(["x", "y"], 0)), Broken, "not a list of numbers"),
        (whole(item("!!", 0)), Broken, "not a list of numbers"),
        (whole(item("AAAA", 0)), Broken, "not a list of numbers"),
        (whole(item(None, 0)), Broken, "no list of values"),
        (whole(item([0, 0], 0)), Broken, "no direction"),
        (whole(item([1, None], 0)), Broken, "no direction"),
        (whole(item([1, 1e300], 0)), Broken, "no direction"),
        (whole(item([1, 1e38], 0)), Broken, "no direction"),
        (whole(item([1, 2], 1)), Broken, "wrong positions"),
        (whole("x"), Broken, "wrong positions"),
        (whole(), Broken, "one vector for each of 1 texts"),
        (lambda request: request.answer(200, [1]), Broken, "one vector for each"),
        (lambda request: request.answer(200, b"<html>"), Broken, "not JSON"),
        (lambda request: request.answer(200, b" " * 300_000), Broken, "too large"),
        (lambda request: request.answer(200, {"error": {"message": "no"}}), Broken, "reported an error"),
        (answering(400, {"message": "too many texts", "param": "input"}), Refused, "too many texts"),
        (answering(500), Unavailable, "answered 500"),
        (cut_before_the_head, Unavailable, "cannot be reached"),
        (silent, TimedOut, "did not begin its answer within 0.2 seconds"),
    ],
)
async def test_failures(answer: Answer, error: type[ServiceError], words: str) -> None:
    async with model_of(answer, retries=0, timeout=0.2 if error is TimedOut else 30) as (model, _):
        with pytest.raises(error, match=words):
            await model.embed(["a"])
