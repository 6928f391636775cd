"""`gateway.app` called as ASGI servers call it: `receive` may return any awaitable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator, Iterator
from types import coroutine
from typing import Any

import pytest

from diptych import Gateway, Settings
from diptych.framing.envelope import envelope
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc
from tests.kitchen import Kitchen

Message = dict[str, Any]
Future = asyncio.Future[Message]


class BareIterator:
    """An awaitable like those of servers in Rust: an iterator without `send`, `throw` and `close`."""

    def __init__(self, future: Future) -> None:
        self._future = future

    def __await__(self) -> Any:  # typing demands a generator
        return self

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._future.done():
            self._future._asyncio_future_blocking = True  # as asyncio's own futures do when they are awaited
            return self._future
        raise StopIteration(self._future.result())


async def native(future: Future) -> Message:
    return await future


@coroutine
def decorated(future: Future) -> Generator[Any, Any, Message]:
    """A coroutine made of a generator, which has no `__await__`."""
    return (yield from future)


AWAITABLES: dict[str, Callable[[Future], Awaitable[Message]]] = {
    "coroutine": native,
    "generator": decorated,
    "bare iterator": lambda future: BareIterator(future),
    "future": lambda future: future,
}
awaitable = pytest.mark.parametrize("awaitable", AWAITABLES.values(), ids=AWAITABLES)


class Server:
    """One exchange with the app. The test decides when each message of the request arrives."""

    def __init__(self, awaitable: Callable[[Future], Awaitable[Message]]) -> None:
        self._awaitable = awaitable
        self._messages: list[Message] = []
        self._waiting: Future | None = None
        self.asked = asyncio.Event()
        self.sent: list[Message] = []

    def arrive(self, **message: Any) -> None:
        """Delivers a message to `receive`, now or when it is called."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(message)
        else:
            self._messages.append(message)

    def receive(self) -> Awaitable[Message]:
        future: Future = asyncio.get_running_loop().create_future()
        if self._messages:
            future.set_result(self._messages.pop(0))
        else:
            self._waiting = future
        self.asked.set()
        return self._awaitable(future)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def answer(self) -> tuple[int, bytes]:
        """Status and body."""
        return self.sent[0]["status"], b"".join(message.get("body", b"") for message in self.sent[1:])


def app_of(**settings: Any) -> Any:
    gateway = Gateway(Settings(**settings))
    kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    return gateway.app


def posted(path: str, content_type: str) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"content-type", content_type.encode())],
        "client": None,
        "server": None,
    }


DISH = pb.GetDishRequest(dish_id="7").SerializeToString()
RPC = "/kitchen.v1.KitchenService/GetDish"


@awaitable
@pytest.mark.parametrize("late", [False, True], ids=["there", "late"])
@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/v1/dishes/7:cook", "application/json", b'{"portions":2}'),
        ("/v1/sum", "application/x-ndjson", b'{"number":"3"}\n{"number":"4"}\n'),
        (RPC, "application/json", b'{"dishId":"7"}'),
        (RPC, "application/proto", DISH),
        (RPC, "application/grpc-web+proto", envelope(0, DISH)),
    ],
    ids=["REST", "client stream", "Connect JSON", "Connect", "gRPC-Web"],
)
async def test_a_body_is_read_from_any_awaitable(
    awaitable: Any, late: bool, path: str, content_type: str, body: bytes
) -> None:
    app, server = app_of(), Server(awaitable)
    async with app.router.lifespan_context(app), asyncio.timeout(20):
        halves: list[Message] = [
            {"type": "http.request", "body": body[:5], "more_body": True},
            {"type": "http.request", "body": body[5:]},
        ]
        if not late:
            server.arrive(**halves[0])
            server.arrive(**halves[1])
        call = asyncio.ensure_future(app(posted(path, content_type), server.receive, server.send))
        if late:
            for half in halves:
                await server.asked.wait()
                server.asked.clear()
                server.arrive(**half)
        await call
        assert server.answer[0] == 200, server.answer


@awaitable
async def test_a_slow_body_is_refused_whatever_is_awaited(awaitable: Any) -> None:
    app, server = app_of(body_seconds=0.01), Server(awaitable)
    async with app.router.lifespan_context(app), asyncio.timeout(20):
        server.arrive(type="http.request", body=b"{", more_body=True)
        await app(posted("/v1/echo", "application/json"), server.receive, server.send)
        status, body = server.answer
        assert (status, json.loads(body)["error"]["message"]) == (408, "the request body arrived too slowly")


@awaitable
async def test_a_body_that_ends_with_a_disconnect_gets_no_answer(awaitable: Any) -> None:
    app, server = app_of(), Server(awaitable)
    async with app.router.lifespan_context(app), asyncio.timeout(20):
        call = asyncio.ensure_future(app(posted("/v1/echo", "application/json"), server.receive, server.send))
        await server.asked.wait()
        server.arrive(type="http.disconnect")
        await call
        assert server.sent == []


@pytest.mark.parametrize("scope", [{}, {"extensions": None}, {"extensions": {}}], ids=["left out", "None", "none"])
async def test_a_stream_has_no_trailers_if_the_server_takes_none(scope: Message) -> None:
    app, server = app_of(), Server(native)
    scope = {**posted("/v1/ticks", "application/json"), **scope, "method": "GET", "query_string": b"count=1"}
    scope["headers"] = [*scope["headers"], (b"te", b"trailers")]
    async with app.router.lifespan_context(app), asyncio.timeout(20):
        await app(scope, server.receive, server.send)
        assert server.answer[0] == 200
        assert server.sent[-1]["type"] == "http.response.body"
        assert json.loads(server.answer[1])[0]["number"] == "1"
