"""The breaker and the bulkhead around calls that leave the process."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diptych.upstream import Upstream, UpstreamRefused
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen


class Clock:
    """A clock that a test advances, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Store:
    """An external service: up, down, or slow."""

    def __init__(self) -> None:
        self.up = True
        self.asked = 0
        self.reached = asyncio.Event()
        self.answer: asyncio.Event | None = None

    async def __call__(self) -> str:
        self.asked += 1
        self.reached.set()
        if self.answer is not None:
            await self.answer.wait()
        if not self.up:
            raise ConnectionError("connection refused")
        return "bread"


async def fail(upstream: Upstream, store: Store, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ConnectionError):
            await upstream.call(store)


async def begun(upstream: Upstream, store: Store) -> asyncio.Future[str]:
    """A call that has reached the store."""
    store.reached.clear()
    call = asyncio.ensure_future(upstream.call(store))
    await store.reached.wait()
    return call


async def refused(upstream: Upstream, store: Store) -> UpstreamRefused:
    before = store.asked
    with pytest.raises(UpstreamRefused) as found:
        await upstream.call(store)
    assert store.asked == before
    return found.value


def broken(clock: Clock, **more: Any) -> tuple[Upstream, Store]:
    store = Store()
    store.up = False
    return Upstream("the cellar", failures=3, rest_seconds=2, longest_seconds=8, clock=clock, **more), store


async def test_consecutive_failures_open_the_circuit_until_it_recovers() -> None:
    clock = Clock()
    upstream, store = broken(clock)
    await fail(upstream, store, 2)
    store.up = True
    assert await upstream.call(store) == "bread"  # any answer ends a row of failures
    store.up = False
    await fail(upstream, store, 3)
    told = await refused(upstream, store)
    assert told.status.code is grpc.StatusCode.UNAVAILABLE
    assert 0 < told.retry_seconds <= 2.4
    assert upstream.open
    store.up = True
    await refused(upstream, store)  # not yet
    clock.now += 2.5
    assert await upstream.call(store) == "bread"
    assert await upstream.call(store) == "bread"


async def test_the_open_time_grows_with_each_failed_trial() -> None:
    clock = Clock()
    upstream, store = broken(clock)
    await fail(upstream, store, 3)
    for rest in (2, 4, 8, 8):  # each a fifth shorter or longer
        clock.now += rest * 0.79
        await refused(upstream, store)
        clock.now += rest * 0.42
        await fail(upstream, store, 1)  # the probe
    store.up = True
    clock.now += 20
    assert await upstream.call(store) == "bread"
    store.up = False
    await fail(upstream, store, 3)  # the length of the last rest is forgotten
    clock.now += 2.5
    await fail(upstream, store, 1)


async def test_a_half_open_circuit_admits_one_call() -> None:
    clock = Clock()
    upstream, store = broken(clock)
    await fail(upstream, store, 3)
    clock.now += 3
    store.up, store.answer = True, asyncio.Event()
    first = await begun(upstream, store)
    await refused(upstream, store)
    store.answer.set()
    assert await first == "bread"
    assert await upstream.call(store) == "bread"


async def test_a_cancelled_trial_leaves_the_next_call_to_try() -> None:
    clock = Clock()
    upstream, store = broken(clock)
    await fail(upstream, store, 3)
    clock.now += 3
    store.up, store.answer = True, asyncio.Event()
    first = await begun(upstream, store)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    store.answer = None
    assert upstream.open
    assert await upstream.call(store) == "bread"


async def test_calls_begun_before_a_change_do_not_affect_the_circuit() -> None:
    clock = Clock()
    upstream, store = broken(clock)
    gate = store.answer = asyncio.Event()
    late = await begun(upstream, store)
    store.answer = None
    await fail(upstream, store, 3)
    store.up = True
    gate.set()
    assert await late == "bread"
    await refused(upstream, store)


async def test_client_errors_do_not_open_the_circuit() -> None:
    upstream = Upstream("the cellar", failures=1, failed=lambda error: not isinstance(error, KeyError))

    async def nothing_there() -> None:
        raise KeyError("no such bottle")

    for _ in range(3):
        with pytest.raises(KeyError):
            await upstream.call(nothing_there)
    assert not upstream.open


async def test_calls_beyond_the_bulkhead_are_refused() -> None:
    upstream, store = Upstream("the cellar", most=2), Store()
    store.answer = asyncio.Event()
    running = [await begun(upstream, store) for _ in range(2)]
    assert "too many" in (await refused(upstream, store)).status.message
    store.answer.set()
    assert await asyncio.gather(*running) == ["bread", "bread"]
    assert await upstream.call(store) == "bread"


@every_engine
async def test_an_open_circuit_tells_clients_when_to_retry(serve: Serve) -> None:
    upstream, store = broken(Clock())
    await fail(upstream, store, 3)

    class Cellar(Kitchen):
        async def Echo(self, request: Any, context: Any) -> Any:
            await upstream.call(store)

    async with serve(Cellar(), gateway={"collectors": [upstream]}) as served:
        with pytest.raises(grpc.aio.AioRpcError) as found:
            await served.rpc.Echo(pb.EchoRequest())
        assert found.value.code() is grpc.StatusCode.UNAVAILABLE
        failure: Any = found.value
        status = rpc_status.from_call(failure)
        retry = error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() > 0
        answer = await served.http.post("/v1/echo", json={})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        shown = (await served.http.get("/metrics")).text
        assert 'diptych_upstream_open{upstream="the cellar"} 1.0' in shown
        assert 'diptych_upstream_refused_total{reason="open",upstream="the cellar"} 2.0' in shown
        assert 'diptych_upstream_failures_total{upstream="the cellar"} 3.0' in shown
