"""TRANSCODING.md section 5 on both faces: a complete context, servicers and interceptors of every kind."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served, every_engine
from tests.kitchen import Kitchen

BOTH_WAYS = True

Context = Any


class Both:
    """The same call over both faces."""

    def __init__(self, served: Served) -> None:
        self.served = served

    async def rest(self, dish: str = "1", **headers: str) -> tuple[int, Any]:
        """Status and body of a REST GetDish."""
        answer = await self.served.http.get(f"/v1/dishes/{dish}", headers=headers)
        return answer.status_code, answer.json()

    async def grpc(self, dish: str = "1", **metadata: str) -> tuple[grpc.StatusCode, Any]:
        """Code, and message or details, of a gRPC GetDish."""
        try:
            reply = await self.served.rpc.GetDish(
                pb.GetDishRequest(dish_id=dish), metadata=tuple(metadata.items()), timeout=10
            )
        except grpc.aio.AioRpcError as failed:
            return failed.code(), failed.details()
        return grpc.StatusCode.OK, reply


# The context.


class Curious(Kitchen):
    """Answers with everything that its context returns."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, Any]] = []
        self.done: asyncio.Queue[Any] = asyncio.Queue()

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        context.add_done_callback(self.done.put_nowait)
        pairs = context.invocation_metadata()
        asked = {
            "metadata": [(pair.key, pair.value) for pair in pairs if pair.key.startswith("x-")],
            "pairs": [tuple(pair) for pair in pairs if pair[0].startswith("x-")],
            "peer": context.peer().rpartition(":")[0],
            "identities": (context.peer_identities(), context.peer_identity_key()),
            "auth": dict(context.auth_context()),
            "remaining": context.time_remaining(),
            "running": (context.cancelled(), context.done()),
            "code": (context.code(), context.details(), tuple(context.trailing_metadata())),
        }
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("gone")
        asked["set"] = (context.code(), context.details())
        context.set_code(grpc.StatusCode.OK)
        context.set_compression(grpc.Compression.NoCompression)
        context.disable_next_message_compression()
        await context.send_initial_metadata((("x-first", "1"),))
        try:
            await context.send_initial_metadata((("x-first", "2"),))
        except grpc.aio.UsageError as wrong:
            asked["twice"] = str(wrong)
        context.set_trailing_metadata((("x-last", "2"), ("x-last-bin", b"\x00")))
        asked["trailing"] = [tuple(pair) for pair in context.trailing_metadata()]
        self.seen.append(asked)
        return pb.Dish(id="1")


@every_engine
async def test_the_context_is_equal_on_both_faces(serve: Serve) -> None:
    kitchen = Curious()
    async with serve(kitchen) as served:
        rest = await served.http.get("/v1/dishes/1", headers={"X-Asked": "yes", "x-raw-bin": "AAE="})
        call = served.rpc.GetDish(pb.GetDishRequest(dish_id="1"), metadata=(("x-asked", "yes"), ("x-raw-bin", b"\0\1")))
        await call
        by_rest, by_grpc = kitchen.seen
        assert by_rest == by_grpc
        assert by_rest["metadata"] == [("x-asked", "yes"), ("x-raw-bin", b"\0\1")]
        assert rest.headers["x-first"] == dict(await call.initial_metadata())["x-first"] == "1"
        assert rest.headers["grpc-trailer-x-last"] == "2"
        assert rest.headers["grpc-trailer-x-last-bin"] == "AA"
        assert dict(await call.trailing_metadata()) == {"x-last": "2", "x-last-bin": b"\x00"}
        for _ in range(2):
            assert (await kitchen.done.get()).done()


class Odd(Kitchen):
    """Uses its context in ways that grpcio tolerates, or does not."""

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> Any:
        match request.dish_id:
            case "swallow":
                try:
                    await context.abort(grpc.StatusCode.ABORTED, "first")
                except grpc.aio.AbortError:
                    return pb.Dish()
            case "replace":
                try:
                    await context.abort(grpc.StatusCode.ABORTED, "first")
                except grpc.aio.AbortError:
                    raise ValueError("second") from None
            case "again":
                try:
                    await context.abort(grpc.StatusCode.ABORTED, "first")
                except grpc.aio.AbortError:
                    await context.abort(grpc.StatusCode.INTERNAL, "second")
            case "set_then_raise":
                context.set_code(grpc.StatusCode.NOT_FOUND)
                context.set_details("said before")
                raise KeyError("secret")
            case "set_code_with_answer":
                context.set_code(grpc.StatusCode.OUT_OF_RANGE)
                context.set_details("too far")
                return pb.Dish(id="ignored")
            case "by_hand":
                raise grpc.aio.AbortError("secret")
            case "read":
                raise ValueError(f"secret: {await context.read()}")
        return None


@every_engine
@pytest.mark.parametrize(
    ("dish", "code", "message"),
    [
        ("swallow", grpc.StatusCode.ABORTED, "first"),
        ("replace", grpc.StatusCode.ABORTED, "first"),
        ("again", grpc.StatusCode.ABORTED, "first"),
        ("set_then_raise", grpc.StatusCode.NOT_FOUND, "said before"),
        ("set_code_with_answer", grpc.StatusCode.OUT_OF_RANGE, "too far"),
        ("by_hand", grpc.StatusCode.INTERNAL, "internal error, id "),
        ("read", grpc.StatusCode.INTERNAL, "internal error, id "),
    ],
)
async def test_unusual_uses_of_the_context_end_alike(
    serve: Serve, dish: str, code: grpc.StatusCode, message: str
) -> None:
    async with serve(Odd()) as served:
        both = Both(served)
        _, body = await both.rest(dish)
        assert (body["error"]["status"], message in body["error"]["message"]) == (code.name, True), body
        got, details = await both.grpc(dish)
        assert (got, message in details) == (code, True), details
        assert "secret" not in details + str(body)


# Kinds of servicers.


class Plain(Kitchen):
    """Plain `def`, generators, and streams written to the context."""

    def GetDish(self, request: pb.GetDishRequest, context: grpc.ServicerContext) -> pb.Dish:  # type: ignore[override]
        assert threading.current_thread().name.startswith("diptych")
        assert isinstance(context, grpc.ServicerContext)
        assert context.is_active()
        assert context.add_callback(lambda: None)
        context.send_initial_metadata((("x-first", "1"),))
        context.set_trailing_metadata((("x-last", "2"),))
        if request.dish_id == "abort":
            context.abort(grpc.StatusCode.NOT_FOUND, "none")
        if request.dish_id == "set":
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details("none")
        assert 0 < (context.time_remaining() or 1) < 11  # by grpcio's clock, which rounds up
        return pb.Dish(id=str(dict(context.invocation_metadata()).get("x-asked", "")), title=context.peer()[:5])

    def Tick(self, request: pb.TickRequest, context: grpc.ServicerContext) -> Iterator[pb.TickResponse]:  # type: ignore[override]
        for number in range(1, request.count + 1):
            yield pb.TickResponse(number=number)
            if number == request.fail_after:
                context.abort(grpc.StatusCode.DATA_LOSS, "lost")

    def Converse(self, request_iterator: Iterator[pb.TickResponse], context: Any) -> Iterator[pb.TickResponse]:  # type: ignore[override]
        for tick in request_iterator:
            yield pb.TickResponse(number=tick.number * 2)

    def Sum(self, request_iterator: Iterator[pb.TickResponse], context: Any) -> pb.TickResponse:  # type: ignore[override]
        return pb.TickResponse(number=sum(tick.number for tick in request_iterator))


class Writer(Kitchen):
    """Streams by `context.write`, reads by `context.read`."""

    async def Tick(self, request: pb.TickRequest, context: Context) -> None:  # type: ignore[override]
        for number in range(1, request.count + 1):
            await context.write(pb.TickResponse(number=number))
            if number == request.fail_after:
                await context.abort(grpc.StatusCode.DATA_LOSS, "lost")


async def ticks(served: Served, count: int, fail_after: int = 0) -> list[int]:
    """The numbers a gRPC client is sent."""
    stream = served.rpc.Tick(pb.TickRequest(count=count, fail_after=fail_after))
    return [tick.number async for tick in stream]


@every_engine
async def test_plain_functions_run_in_threads(serve: Serve) -> None:
    async with serve(Plain()) as served:
        both = Both(served)
        status, body = await both.rest(**{"x-asked": "yes"})
        assert (status, body["id"], body["title"]) == (200, "yes", "ipv4:")
        code, reply = await both.grpc(**{"x-asked": "yes"})
        assert (code, reply.id) == (grpc.StatusCode.OK, "yes")
        for dish in ("abort", "set"):
            assert (await both.rest(dish))[1]["error"]["message"] == "none"
            assert await both.grpc(dish) == (grpc.StatusCode.NOT_FOUND, "none")


class Made:
    """Replaces a method by a callable object."""

    async def __call__(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        return pb.Dish(id=f"{request.dish_id} by an object")


async def partly(how: str, request: pb.GetDishRequest, context: Context) -> pb.Dish:
    return pb.Dish(id=f"{request.dish_id} {how}")


@every_engine
@pytest.mark.parametrize(
    ("behaviour", "said"), [(Made(), "1 by an object"), (functools.partial(partly, "in part"), "1 in part")]
)
async def test_behaviours_that_are_not_functions_run_on_the_loop(serve: Serve, behaviour: Any, said: str) -> None:
    indirect = type("Indirect", (Kitchen,), {"GetDish": staticmethod(behaviour)})
    async with serve(indirect()) as served:
        both = Both(served)
        status, body = await both.rest()
        assert (status, body["id"]) == (200, said)
        code, reply = await both.grpc()
        assert (code, reply.id) == (grpc.StatusCode.OK, said)


@pytest.mark.parametrize("kitchen", [Kitchen, Plain, Writer])
async def test_streaming_servicers_of_every_kind(serve: Serve, kitchen: type[Kitchen]) -> None:
    async with serve(kitchen()) as served:
        answer = await served.http.get("/v1/ticks?count=40")
        assert [tick["number"] for tick in answer.json()] == [str(number) for number in range(1, 41)]
        assert await ticks(served, 40) == list(range(1, 41))
        assert (await served.http.get("/v1/ticks?count=0")).json() == []
        assert await ticks(served, 0) == []
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await ticks(served, 3, 2)
        assert failed.value.code() is grpc.StatusCode.DATA_LOSS


@every_engine
async def test_client_streams_over_grpc(serve: Serve) -> None:
    for kitchen, factor in ((Kitchen(), 1), (Plain(), 2)):
        async with serve(kitchen) as served:
            numbers = [pb.TickResponse(number=number) for number in (1, 2, 3)]
            assert (await served.rpc.Sum(iter(numbers))).number == 6
            assert [tick.number async for tick in served.rpc.Converse(iter(numbers))] == [
                factor,
                2 * factor,
                3 * factor,
            ]
