"""Which calls are retried, how often, and after which delay."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from artificer.batch.v1 import batch_service_pb2
from artificer.grpc import RetryPolicy, safe_methods
from diptych.status import pack
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve
from tests.waiting import until_told

from .servers import KITCHEN, QUICK, Flaky, both_ways, calling

UNAVAILABLE, EXHAUSTED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED
NO_PUSHBACK: tuple[Any, ...] = ()


def retry_info(seconds: float) -> Any:
    """Returns trailing metadata with RetryInfo, as application code reads it."""
    delay = duration_pb2.Duration()
    delay.FromMicroseconds(int(seconds * 1e6))
    info = error_details_pb2.RetryInfo(retry_delay=delay)
    status = status_pb2.Status(code=14, message="not now", details=[pack(info)])
    return (("grpc-status-details-bin", status.SerializeToString()),)


@both_ways
async def test_a_safe_method_is_retried(serve: Serve, way: str) -> None:
    kitchen = Flaky((UNAVAILABLE, NO_PUSHBACK), (UNAVAILABLE, retry_info(0.01)))
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, retry=QUICK) as caller:
        assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
    assert kitchen.attempts == 3


@both_ways
async def test_a_stream_is_retried_until_its_first_message(serve: Serve, way: str) -> None:
    kitchen = Flaky((UNAVAILABLE, NO_PUSHBACK))
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, retry=QUICK) as caller:
        assert len(await caller.stream("Tick", pb.TickRequest(count=2))) == 2
        assert kitchen.attempts == 2
        with pytest.raises(grpc.RpcError):
            await caller.stream("Tick", pb.TickRequest(count=3, fail_after=1))
    assert kitchen.attempts == 3


@both_ways
async def test_it_gives_up_after_its_attempts(serve: Serve, way: str) -> None:
    kitchen = Flaky(*[(UNAVAILABLE, NO_PUSHBACK)] * 5)
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, retry=QUICK) as caller:
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))
        assert caught.value.code() is UNAVAILABLE
    assert kitchen.attempts == 3


@pytest.mark.parametrize(
    ("method", "request_", "failure", "options"),
    [
        ("CreateDish", pb.CreateDishRequest(), UNAVAILABLE, {"retry": QUICK}),
        ("GetDish", pb.GetDishRequest(), grpc.StatusCode.INTERNAL, {"retry": QUICK}),
        ("GetDish", pb.GetDishRequest(), EXHAUSTED, {"retry": QUICK}),
        ("GetDish", pb.GetDishRequest(), UNAVAILABLE, {"retry": None}),
        ("GetDish", pb.GetDishRequest(), UNAVAILABLE, {}),
    ],
    ids=("unsafe method", "other code", "limit", "no policy", "method that the policy does not know"),
)
@both_ways
async def test_what_is_not_retried(
    serve: Serve, way: str, method: str, request_: Any, failure: Any, options: Any
) -> None:
    kitchen = Flaky((failure, NO_PUSHBACK))
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, **options) as caller:
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call(method, request_)
        assert caught.value.code() is failure
    assert kitchen.attempts == 1


@both_ways
async def test_the_server_says_when_to_retry(serve: Serve, way: str) -> None:
    """The policy's own backoff is a minute, longer than the call may take."""
    kitchen = Flaky((UNAVAILABLE, (("grpc-retry-pushback-ms", "50"),)))
    slow = RetryPolicy(initial_backoff=60, max_backoff=60, methods=[KITCHEN])
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, retry=slow) as caller:
        begun = time.monotonic()
        assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
        assert time.monotonic() - begun >= 0.05
    assert kitchen.attempts == 2


@both_ways
async def test_the_server_says_not_to_retry(serve: Serve, way: str) -> None:
    kitchen = Flaky((UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),)))
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, retry=QUICK) as caller:
        with pytest.raises(grpc.RpcError):
            await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))
    assert kitchen.attempts == 1


@both_ways
async def test_an_overloaded_gateway_says_when_to_retry(serve: Serve, way: str) -> None:
    patient = RetryPolicy(initial_backoff=60, max_backoff=60, methods=[f"{KITCHEN}/GetDish"])
    limits = {"max_in_flight": 1, "retry_seconds": 0.5}
    async with serve(limits=limits) as served, calling(way, served.gateway.grpc_port, retry=patient) as caller:
        waiting = asyncio.ensure_future(caller.call("Wait", pb.WaitRequest(key=way)))
        await served.kitchen.waiting[way].wait()
        call = asyncio.ensure_future(caller.call("GetDish", pb.GetDishRequest(dish_id="7")))

        async def refused() -> bool:
            return 'grpc_code="UNAVAILABLE"' in (await served.http.get("/metrics")).text

        await until_told(refused)
        served.kitchen.released[way].set()
        await waiting
        assert (await call).id == "7"


@both_ways
async def test_large_requests_are_not_kept_for_a_retry(serve: Serve, way: str) -> None:
    kitchen = Flaky((UNAVAILABLE, NO_PUSHBACK))
    policy = RetryPolicy(initial_backoff=0.01, max_backoff=0.05, methods=[KITCHEN], buffer_bytes=1000)
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, retry=policy) as caller:
        with pytest.raises(grpc.RpcError):
            await caller.call("CreateDish", pb.CreateDishRequest(dish=pb.Dish(title="x" * 2000)))
    assert kitchen.attempts == 1


@both_ways
async def test_retries_stop_while_most_calls_fail(serve: Serve, way: str) -> None:
    kitchen = Flaky(*[(UNAVAILABLE, NO_PUSHBACK)] * 100)
    policy = RetryPolicy(initial_backoff=0.01, max_backoff=0.01, methods=[KITCHEN], throttle_tokens=4)
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, retry=policy) as caller:
        for _ in range(10):
            with pytest.raises(grpc.RpcError):
                await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))
    assert kitchen.attempts < 15


def test_the_safe_methods_are_those_that_only_read() -> None:
    safe = safe_methods()
    assert safe >= {
        "artificer.batch.v1.BatchService/GetJob",
        "artificer.batch.v1.BatchService/StreamProgress",
        "artificer.ai.v1.AiWorkerService/VectorSearch",
        "artificer.ai.v1.AiWorkerService/GetEmbedding",
        "artificer.rag.v1.RagService/RetrievePassages",
        "artificer.ocr.v1.OCRService/CheckPDFNeedsOCR",
        "artificer.openai.v1.OpenAIService/CreateEmbeddings",
    }
    unsafe = ("Create", "Delete", "Update", "Send", "Upload", "Start", "Cancel", "Chat", "Converse", "Ask")
    assert not [name for name in safe if name.partition("/")[2].startswith(unsafe) and "CreateEmbeddings" not in name]


def test_the_safe_methods_of_other_contracts() -> None:
    found = safe_methods(pb.DESCRIPTOR)
    assert found > safe_methods()
    assert f"{KITCHEN}/GetDish" in found
    assert f"{KITCHEN}/CreateDish" not in found
    assert safe_methods(batch_service_pb2.DESCRIPTOR) == safe_methods()


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 1},
        {"attempts": 6},
        {"initial_backoff": 0.001},
        {"initial_backoff": 2, "max_backoff": 1},
        {"multiplier": 0},
        {"codes": ()},
        {"codes": ("UNAVAILABEL",)},
        {"throttle_tokens": 0},
        {"throttle_ratio": 0},
        {"methods": ("",)},
    ],
)
def test_a_policy_that_grpc_would_refuse(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)
