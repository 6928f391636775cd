"""`/metrics`: its formats, its ports, and metrics other than those of calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import httpx2
import pytest
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from diptych import Settings
from diptych.upstream import Upstream
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.kitchen import Kitchen
from tests.waiting import until_told

BOTH_WAYS = True


async def _text(http: httpx2.AsyncClient, accept: str = "") -> str:
    answer = await http.get("/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    return answer.text


def _values(text: str) -> dict[str, float]:
    return {sample.name: sample.value for family in families(text) for sample in family.samples}


async def test_the_format_is_the_one_that_the_client_accepts(served: Served) -> None:
    await served.http.get("/v1/dishes/1")
    plain = await served.http.get("/metrics")
    asked = await served.http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert asked.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    named = {family.name for family in open_families(asked.text)}  # type: ignore[no-untyped-call]
    assert {"grpc_server_started", "grpc_server_handled", "grpc_server_handling_seconds"} <= named
    assert {"process_resident_memory_bytes", "diptych_event_loop_lag_seconds", "diptych_tasks"} <= named
    assert {family.name for family in families(plain.text)} >= named - {"process_cpu_seconds"}


async def test_buckets_rise_to_the_count_of_calls(serve: Serve) -> None:
    async with serve(telemetry={"buckets": (0.001, 30.0)}) as served:
        for _ in range(5):
            await served.http.get("/v1/dishes/1")
        buckets = [
            (sample.labels["le"], sample.value)
            for family in families(await _text(served.http))
            for sample in family.samples
            if sample.name == "grpc_server_handling_seconds_bucket"
        ]
    assert [bound for bound, _ in buckets] == ["0.001", "30.0", "+Inf"]
    assert [count for _, count in buckets][1:] == [5, 5]


async def test_a_service_can_add_collectors(serve: Serve) -> None:
    own = Counter("soups_cooked", "Soups.", registry=None)
    own.inc(3)

    class Broken:
        def collect(self) -> Iterator[GaugeMetricFamily]:
            raise RuntimeError("no")

    async with serve(gateway={"collectors": [Broken(), own]}) as served:
        text = await _text(served.http)
    assert _values(text)["soups_cooked_total"] == 3
    assert "grpc_server_started_total" in text


async def test_families_that_several_collectors_have_are_one(serve: Serve) -> None:
    upstreams = [Upstream("soup", label="soup"), Upstream("bread", label="bread")]
    async with serve(gateway={"collectors": upstreams}) as served:
        response = await served.http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    found = open_families(response.text)  # type: ignore[no-untyped-call]
    read = {family.name: family for family in found}  # raises for a family that comes twice
    assert [sample.labels for sample in read["diptych_upstream_open"].samples] == [
        {"upstream": "soup"},
        {"upstream": "bread"},
    ]


async def test_metrics_can_have_a_separate_port(serve: Serve) -> None:
    async with serve(telemetry={"metrics_port": 0}) as served:
        assert (await served.http.get("/metrics")).status_code == 404
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{served.gateway.metrics_port}", timeout=20) as own:
            await served.http.get("/v1/dishes/1")
            assert _values(await _text(own))["grpc_server_started_total"] == 1
    assert served.gateway.metrics_port is None


async def test_a_metrics_port_in_use_is_named(serve: Serve, served: Served) -> None:
    with pytest.raises(OSError, match="already in use"):
        async with serve(telemetry={"metrics_port": served.gateway.http_port}):
            pass


async def test_metrics_can_be_off(serve: Serve) -> None:
    async with serve(telemetry={"metrics": False}) as served:
        assert (await served.http.get("/v1/dishes/1")).status_code == 200
        assert (await served.http.get("/metrics")).status_code == 404


async def test_metrics_are_not_in_the_openapi_document(served: Served) -> None:
    assert "/metrics" not in (await served.http.get("/openapi.json")).json()["paths"]


class Threaded(Kitchen):
    """Blocks threads until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.held = threading.Event(), threading.Semaphore(0)

    def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:  # type: ignore[override]
        self.held.release()
        self.go.wait(20)
        return pb.Dish(id="1")


async def test_calls_that_wait_for_a_thread_are_counted(serve: Serve) -> None:
    kitchen = Threaded()
    async with serve(kitchen, threads=1) as served:
        calls = [asyncio.ensure_future(served.http.get("/v1/dishes/1")) for _ in range(3)]
        assert await asyncio.to_thread(kitchen.held.acquire, timeout=20)

        async def both_wait() -> bool:
            return _values(await _text(served.http))["diptych_executor_queue_depth"] == 2

        await until_told(both_wait)
        kitchen.go.set()
        await asyncio.gather(*calls)
        assert _values(await _text(served.http))["diptych_executor_queue_depth"] == 0


class Refusing(grpc.aio.ServerInterceptor):
    """Refuses every call, as an authenticator would."""

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        async def refuse(_: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

        return grpc.unary_unary_rpc_method_handler(refuse)


async def test_calls_that_an_interceptor_refuses_are_counted(serve: Serve) -> None:
    async with serve(interceptors=[Refusing()]) as served:
        assert (await served.http.get("/v1/dishes/1")).status_code == 401
        with pytest.raises(grpc.aio.AioRpcError):
            await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"))

        async def refused() -> list[tuple[str, float]]:
            return sorted(
                (sample.labels["protocol"], sample.value)
                for family in families(await _text(served.http))
                for sample in family.samples
                if sample.labels.get("grpc_code") == "UNAUTHENTICATED"
            )

        async def both() -> bool:
            return [protocol for protocol, _ in await refused()] == ["grpc", "rest"]

        await until_told(both)
        assert await refused() == [("grpc", 1), ("rest", 1)]


async def test_a_malformed_body_is_counted_by_the_code_of_its_answer(served: Served) -> None:
    assert (await served.http.post("/v1/dishes", content=b"{", headers={"content-type": "application/json"})).is_error
    assert (await served.http.get("/v1/dishes/1", headers={"grpc-timeout": "soon"})).status_code == 400
    codes = [
        (sample.labels["grpc_method"], sample.labels["grpc_code"], sample.value)
        for family in families(await _text(served.http))
        for sample in family.samples
        if sample.name == "grpc_server_handled_total"
    ]
    assert sorted(codes) == [("CreateDish", "INVALID_ARGUMENT", 1), ("GetDish", "INVALID_ARGUMENT", 1)]


@pytest.mark.parametrize("buckets", [(), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)])
def test_buckets_that_do_not_ascend_are_refused(buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="buckets"):
        Settings.model_validate({"telemetry": {"buckets": buckets}})
