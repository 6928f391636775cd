"""Readiness as probes see it: concurrent checks with time-outs, the same by HTTP and by grpc.health.v1."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diptych import Gateway, ServiceCheck, Settings
from diptych.readiness import Check, Readiness
from diptych.settings.readiness import ReadinessSettings
from tests.conftest import Serve, Served, every_engine
from tests.waiting import PATIENCE

KITCHEN = "kitchen.v1.KitchenService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
AT_ONCE = {"keep_seconds": 0, "watch_seconds": 0.01}


class Store:
    """A dependency of a gateway."""

    def __init__(self) -> None:
        self.up = True
        self.asked = 0

    async def ready(self) -> bool:
        self.asked += 1
        return self.up


def health_of(served: Served) -> Any:
    return health_pb2_grpc.HealthStub(served.channel)


async def said(served: Served, service: str) -> int:
    answer = await health_of(served).Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


@every_engine
async def test_grpc_health_follows_the_checks(serve: Serve) -> None:
    store = Store()
    async with serve(gateway={"readiness": {"store": store.ready}}, readiness=AT_ONCE) as served:
        assert [await said(served, name) for name in ("", KITCHEN)] == [SERVING, SERVING]
        store.up = False
        assert [await said(served, name) for name in ("", KITCHEN)] == [NOT_SERVING, NOT_SERVING]
        assert (await served.http.get("/readyz")).status_code == 503
        store.up = True
        assert [await said(served, name) for name in ("", KITCHEN)] == [SERVING, SERVING]
        assert (await served.http.get("/readyz")).status_code == 200


@every_engine
async def test_watchers_are_notified(serve: Serve) -> None:
    store = Store()
    async with serve(gateway={"readiness": {"store": store.ready}}, readiness=AT_ONCE) as served:
        watch = health_of(served).Watch(health_pb2.HealthCheckRequest(service=KITCHEN))
        heard: list[int] = []

        async def hear(wanted: int) -> None:
            while not heard or heard[-1] != wanted:
                heard.append((await watch.read()).status)

        async with asyncio.timeout(30):
            await hear(SERVING)  # NOT_SERVING first, if the checks have not run yet
            store.up = False
            await hear(NOT_SERVING)
            store.up = True
            await hear(SERVING)
        watch.cancel()


async def test_a_services_check_counts_for_it_and_not_for_the_server(serve: Serve) -> None:
    store = Store()
    store.up = False
    checks = {"printer": ServiceCheck(store.ready, ("kitchen.v1.KitchenService",))}
    async with serve(gateway={"readiness": checks}, readiness=AT_ONCE) as served:
        assert await said(served, KITCHEN) == NOT_SERVING
        assert await said(served, "") == SERVING  # other services can serve
        ready = await served.http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"printer": "failed"}})
        answer = await health_of(served).List(health_pb2.HealthListRequest())  # type: ignore[attr-defined]
        assert {name: one.status for name, one in answer.statuses.items()} == {"": SERVING, KITCHEN: NOT_SERVING}
    other = {"printer": ServiceCheck(store.ready, ("kitchen.v1.Other",))}
    with pytest.raises(ValueError, match=r"not registered: kitchen\.v1\.Other"):
        async with serve(gateway={"readiness": other}):
            pass


async def test_each_service_has_its_own_checks() -> None:
    checks = {"a": ServiceCheck(lambda: False, ("x.A",)), "b": ServiceCheck(lambda: True, ("x.B",))}
    readiness = Readiness({**checks, "all": lambda: True}, ReadinessSettings())
    results = await readiness.look()
    assert results == {"a": False, "b": True, "all": True}
    assert {name: readiness.fit(name, results) for name in ("x.A", "x.B", "x.C", "")} == {
        "x.A": False,
        "x.B": True,
        "x.C": True,
        "": True,
    }
    await readiness.stop()


async def test_a_services_local_check_counts_for_the_gateway_too() -> None:
    """Other processes may serve what this one cannot; a store that is down is down for all of them."""
    checks = {"workers": ServiceCheck(lambda: False, ("x.A",), local=True), "store": ServiceCheck(bool, ("x.B",))}
    for gating, ready in ((None, False), ((), True)):
        readiness = Readiness(checks, ReadinessSettings(gating=gating))
        results = await readiness.look()
        assert results == {"workers": False, "store": False}
        assert readiness.fit("", results) is ready
        await readiness.stop()
    alone = Readiness({"store": checks["store"]}, ReadinessSettings())
    assert alone.fit("", await alone.look())
    await alone.stop()


@pytest.mark.parametrize(
    ("gating", "expected"),
    [
        (None, {"service": True, "process": False}),  # what belongs to one service does not gate the others
        ((), {"service": True, "process": True}),
        (("service",), {"service": False, "process": True}),
        (("*",), {"service": False, "process": False}),
        ("service, process", {"service": False, "process": False}),  # as a variable has it
    ],
)
async def test_a_setting_chooses_the_checks_that_gate(serve: Serve, gating: Any, expected: dict[str, bool]) -> None:
    """`expected`: whether the gateway is ready while the check of that name fails."""
    stores = {"service": Store(), "process": Store()}
    checks = {"service": ServiceCheck(stores["service"].ready, (KITCHEN,)), "process": stores["process"].ready}
    async with serve(gateway={"readiness": checks}, readiness={**AT_ONCE, "gating": gating}) as served:
        for name, ready in expected.items():
            stores[name].up = False
            answer = await served.http.get("/readyz")
            assert answer.status_code == (200 if ready else 503)
            assert answer.json()["checks"] == {other: "failed" if other == name else "ok" for other in stores}
            assert await said(served, "") == (SERVING if ready else NOT_SERVING)
            assert await said(served, KITCHEN) == NOT_SERVING
            stores[name].up = True


async def test_a_starting_worker_waits_longer_for_checks_that_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is down belongs to one service, and must not hold up the start of one worker after the other."""
    monkeypatch.setattr("diptych.readiness._SETTLE_SECONDS", 0.0)
    passing = iter([False, False])
    checks: dict[str, Check | ServiceCheck] = {
        "store": ServiceCheck(lambda: False, ("x.A",)),
        "process": lambda: next(passing, True),
    }
    readiness = Readiness(checks, ReadinessSettings(start_seconds=3600))
    async with asyncio.timeout(30):
        await readiness.settle()
    assert await readiness.look() == {"store": False, "process": True}
    await readiness.stop()
    hopeless = Readiness({"process": lambda: False}, ReadinessSettings(start_seconds=0.1))
    async with asyncio.timeout(30):
        await hopeless.settle()
    await hopeless.stop()


async def test_an_unknown_gating_check_is_an_error() -> None:
    checks = {"chat": lambda: True, "store": lambda: True}
    for wrong, told in (("chst", "did you mean chat?"), ("nope", "expected one of chat, store")):
        with pytest.raises(ValueError, match=rf"readiness\.gating: no check '{wrong}'; {re.escape(told)}"):
            Gateway(Settings(readiness=ReadinessSettings(gating=(wrong,))), readiness=checks)


async def test_concurrent_probes_share_one_check(serve: Serve) -> None:
    store = Store()
    once = {"keep_seconds": 600, "watch_seconds": 600}
    async with serve(gateway={"readiness": {"store": store.ready}}, readiness=once) as served:
        answers = await asyncio.gather(*(served.http.get("/readyz") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert await said(served, "") == SERVING
    assert store.asked == 1


async def test_checks_run_concurrently_and_time_out() -> None:
    both = asyncio.Barrier(2)
    asked = 0

    async def meets() -> None:
        await both.wait()

    async def hangs() -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    settings = ReadinessSettings(timeout_seconds=0.2, keep_seconds=0)
    readiness = Readiness({"one": meets, "other": meets, "hung": hangs}, settings)
    async with asyncio.timeout(30):
        assert await readiness.look() == {"one": True, "other": True, "hung": False}
        assert await readiness.look() == {"one": True, "other": True, "hung": False}
        assert asked == 1  # a hanging store is not called again while a call is pending
        await readiness.stop()
    assert len(asyncio.all_tasks()) == 1


async def test_a_prober_that_leaves_does_not_cancel_a_shared_check() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        asked.set()
        await answer.wait()

    readiness = Readiness({"slow": slow}, ReadinessSettings())
    impatient, patient = (asyncio.create_task(readiness.look()) for _ in range(2))
    await asked.wait()
    impatient.cancel()
    answer.set()
    assert await patient == {"slow": True}
    assert (await asyncio.gather(impatient, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    await readiness.stop()


async def test_metrics_show_each_check(serve: Serve) -> None:
    store = Store()
    store.up = False
    checks = {"store": store.ready, "other": lambda: True}
    async with serve(gateway={"readiness": checks}, readiness=AT_ONCE) as served:
        await served.http.get("/readyz")
        shown = (await served.http.get("/metrics")).text
        assert 'diptych_ready{check="store"} 0.0' in shown
        assert 'diptych_ready{check="other"} 1.0' in shown


async def test_a_stop_reports_not_serving_even_if_checks_pass(drained: asyncio.Event) -> None:
    gateway = Gateway(
        Settings(http_port=0, grpc_port=0, drain_seconds=1, readiness=ReadinessSettings(keep_seconds=0)),
        readiness={"fit": lambda: True},
    )
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        async with asyncio.timeout(30):
            while (await watch.read()).status != SERVING:
                pass
            stopping = asyncio.create_task(gateway.stop())
            while (await watch.read()).status != NOT_SERVING:
                pass
            assert (await stub.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
            watch.cancel()
            drained.set()
            await stopping


async def test_a_stop_logs_no_check_as_down(drained: asyncio.Event, caplog: pytest.LogCaptureFixture) -> None:
    """A service whose check ran while it was being stopped was reported as an outage."""
    store = Store()
    gateway = Gateway(
        Settings(http_port=0, grpc_port=0, drain_seconds=1, readiness=ReadinessSettings(keep_seconds=0)),
        readiness={"store": store.ready},
    )
    async with (
        gateway,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=PATIENCE) as client,
    ):
        assert (await client.get("/readyz")).status_code == 200
        stopping = asyncio.create_task(gateway.stop())
        async with asyncio.timeout(30):
            while (await client.get("/readyz")).status_code == 200:
                pass
            store.up = False
            assert (await client.get("/readyz")).json()["checks"] == {"store": "failed"}
            drained.set()
            await stopping
    assert "store is down" not in caplog.text


async def test_a_check_that_has_not_ended_yet_has_not_failed() -> None:
    """While a worker started, `/readyz` said `failed` of stores that had not been checked yet."""
    over = asyncio.Event()
    readiness = Readiness({"slow": over.wait, "quick": lambda: False}, ReadinessSettings(gating=(), keep_seconds=60))
    await readiness.settle()  # it waits two seconds for checks that do not gate
    results = await readiness.look()
    assert (results, readiness.words(results)) == (
        {"slow": False, "quick": False},
        {"slow": "not checked yet", "quick": "failed"},
    )
    await readiness.stop()


async def test_a_check_that_takes_too_long_has_failed(serve: Serve) -> None:
    never = asyncio.Event()
    timing = {"timeout_seconds": 0.05, "keep_seconds": 0, "start_seconds": 0}
    async with serve(gateway={"readiness": {"hung": never.wait}}, readiness=timing) as served:
        answer = await served.http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]) == (503, {"hung": "failed"})
