"""Contracts of very many methods: what converts a method's messages is made by its first request, once."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import grpc
import httpx2
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench import large
from diptych import Gateway, Settings
from diptych.bind import Binder
from diptych.deferred import deferred
from diptych.gateway import served as building
from diptych.rules import RuleError
from tests.conftest import Serve
from tests.waiting import PATIENCE

BOTH_WAYS = True
BODY = {"title": "Soup", "parts": [{"name": "carrot"}]}
CONNECT = {"connect-protocol-version": "1"}
# Each kind of body and answer; the same requests are sent to a gateway that has prepared all of its methods.
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/dishes/7", {}),
    ("GET", "/v1/dishes?pageSize=2&courses=MAIN", {}),
    ("GET", "/v1/dishes?pageSize=no", {}),
    ("POST", "/v1/dishes?dishId=a", {"json": BODY}),
    ("POST", "/v1/dishes", {"json": {"titel": "Soup"}}),
    ("PATCH", "/v1/dishes/7", {"json": BODY}),
    ("POST", "/v1/echo", {"json": {"any": {"@type": "type.googleapis.com/kitchen.v1.Dish", "title": "Soup"}}}),
    ("POST", "/v1/fail", {"json": {"code": 5, "how": "status", "message": "no"}}),
    ("GET", "/v1/ticks?count=3", {"headers": {"accept": "application/x-ndjson"}}),
    (
        "POST",
        "/kitchen.v1.KitchenService/GetDish",
        {"json": {"dishId": "7"}, "headers": CONNECT},
    ),
    ("POST", "/kitchen.v1.KitchenService/GetDish", {"json": {"dish": 7}, "headers": CONNECT}),
]


async def answers(serve: Serve) -> AsyncIterator[tuple[int, bytes]]:
    async with serve() as served:
        for verb, path, more in REQUESTS:
            for _ in range(2):  # the second finds what the first has made
                answer = await served.http.request(verb, path, **more)
                yield answer.status_code, answer.content


async def test_first_requests_answer_as_all_others(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [one async for one in answers(serve)]
    monkeypatch.setattr(building, "_MOST_PREPARED", 0)
    made: list[str] = []
    init = Binder.__init__

    def counted(self: Binder, method: Any, binding: Any, *more: Any, **options: Any) -> None:
        made.append(f"{binding.verb} {binding.template}")
        init(self, method, binding, *more, **options)

    monkeypatch.setattr(Binder, "__init__", counted)
    assert [one async for one in answers(serve)] == expected
    assert sorted(made) == sorted(set(made)), "nothing is made twice"
    assert len(made) <= len(REQUESTS), "nothing is made that is not used"


def registered(gateway: Gateway, bindings: int, name: str) -> None:
    pool = descriptor_pool.Default()

    async def never(request: Any, context: Any) -> Any:
        raise NotImplementedError

    for file in large.files(bindings):
        text = file.SerializeToString().replace(b"large", name.encode())  # of the same length
        renamed = descriptor_pb2.FileDescriptorProto.FromString(text)
        pool.AddSerializedFile(text)
        [service] = pool.FindFileByName(renamed.name).services_by_name.values()
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                never,
                request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
                response_serializer=message_factory.GetMessageClass(method.output_type).SerializeToString,
            )
            for method in service.methods
        }
        gateway.add_registered_method_handlers(service.full_name, handlers)


def test_a_binding_costs_little_before_it_is_used() -> None:
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    registered(gateway, 1000, "costs")
    tracemalloc.start()
    try:
        gateway.build()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held / 1000 < 8 * 1024  # each was 80 KiB


async def test_what_is_wrong_is_found_at_the_start() -> None:
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    registered(gateway, 1000, "wrong")
    registered(gateway, 1000, "again")  # at the same paths
    with pytest.raises(RuleError, match="has the same shape as"):
        await gateway.start()
    with pytest.raises(RuleError, match="has the same shape as"):
        async with gateway.app.router.lifespan_context(gateway.app):
            pass


async def test_the_document_of_many() -> None:
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    registered(gateway, 1000, "shown")
    async with gateway, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=PATIENCE) as http:
        made = (await http.get("/openapi.json")).json()
        assert len([path for path in made["paths"] if path.startswith("/v1/p")]) == 2 * 200
        await gateway.stop(0)


class Slow:
    """An object that two threads need first."""

    __slots__ = ("fails", "go", "later", "making", "value")

    def __init__(self) -> None:
        self.making, self.go, self.fails = threading.Event(), threading.Event(), False

    def make(self) -> None:
        self.making.set()
        assert self.go.wait(10)
        if self.fails:
            raise LookupError("not yet")
        self.value = self.later = 1


def test_threads_wait_for_what_another_one_makes() -> None:
    """As two large bodies do, which are bound in threads."""
    slow = deferred(Slow)()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: slow.value)
        assert slow.making.wait(10)
        second = pool.submit(lambda: slow.later)
        assert not wait([second], timeout=0.1).done
        slow.go.set()
        assert (first.result(10), second.result(10)) == (1, 1)
    assert type(slow) is Slow


def test_what_could_not_be_made_is_made_again() -> None:
    slow = deferred(Slow)()
    slow.go.set()
    slow.fails = True
    for _ in range(2):
        with pytest.raises(LookupError):
            assert slow.value
    slow.fails = False
    assert slow.value == 1
