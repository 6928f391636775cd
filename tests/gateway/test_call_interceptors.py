"""Calls with interceptors, and their metadata, over gRPC and REST."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2

from diptych.call.guard import Guard
from diptych.call.run import Stragglers
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.gateway.test_call import Both, Context, ticks
from tests.kitchen import Kitchen
from tests.waiting import until_here

BOTH_WAYS = True

# Interceptors. Each is run on both faces.

order: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("order", default=())


class Note(grpc.aio.ServerInterceptor):
    """Notes its name and the call details."""

    def __init__(self, name: str, seen: list[Any]) -> None:
        self.name, self.seen = name, seen

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        order.set((*order.get(), self.name))
        pairs = handler_call_details.invocation_metadata
        self.seen.append((self.name, handler_call_details.method, [tuple(p) for p in pairs if p.key.startswith("x-")]))
        return await continuation(handler_call_details)


class Ordered(Kitchen):
    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        return pb.Dish(tags=order.get())

    def GetSpecial(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> pb.Dish:
        return pb.Dish(tags=order.get())


@every_engine
async def test_both_faces_run_the_same_interceptors_in_order(serve: Serve) -> None:
    seen: list[Any] = []
    async with serve(Ordered(), interceptors=[Note("a", seen), Note("b", seen)]) as served:
        both = Both(served)
        assert (await both.rest(**{"x-k": "v"}))[1]["tags"] == ["a", "b"]
        assert list((await both.grpc(**{"x-k": "v"}))[1].tags) == ["a", "b"]
        assert seen[:2] == seen[2:] == [(name, "/kitchen.v1.KitchenService/GetDish", [("x-k", "v")]) for name in "ab"]
        # A plain function in a thread sees the context variables too.
        assert (await served.http.get("/v1/dishes/special")).json()["tags"] == ["a", "b"]
        assert list((await served.rpc.GetSpecial(empty_pb2.Empty())).tags) == ["a", "b"]


class Auth(grpc.aio.ServerInterceptor):
    """Refuses callers without a token, with one of two kinds of abort handler."""

    def __init__(self, *, deserializer: bool) -> None:
        self._deserializer = pb.GetDishRequest.FromString if deserializer else None

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        if dict(handler_call_details.invocation_metadata).get("authorization") == "Bearer t":
            return await continuation(handler_call_details)

        async def deny(request: Any, context: Any) -> None:
            challenge = (("www-authenticate", 'Bearer realm="kitchen"'),)
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?", challenge)

        return grpc.unary_unary_rpc_method_handler(deny, self._deserializer)


@every_engine
@pytest.mark.parametrize("deserializer", [False, True])
async def test_an_interceptor_may_answer_by_itself(serve: Serve, deserializer: bool) -> None:
    async with serve(interceptors=[Auth(deserializer=deserializer)]) as served:
        both = Both(served)
        answer = await served.http.get("/v1/dishes/1")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="kitchen"'
        assert "realm" not in answer.text
        assert await both.grpc() == (grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        assert (await both.rest(authorization="Bearer t"))[0] == 200
        assert (await both.grpc(authorization="Bearer t"))[0] is grpc.StatusCode.OK
        # A stream that is refused by a unary handler is an ordinary error.
        for path in ("/v1/ticks?count=2", "/v1/download?count=2"):
            stream = await served.http.get(path, headers={"accept": "text/event-stream"})
            assert (stream.status_code, stream.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


async def test_an_unauthenticated_body_is_never_read(serve: Serve) -> None:
    async with serve(interceptors=[Auth(deserializer=False)]) as served, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        # The client waits for 100 Continue before its body, and gets the response instead.
        head = b"POST /v1/blobs HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 16000000\r\n"
        writer.write(head + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(head.replace(b"expect: 100-continue\r\n", b"") + b"\r\n" + bytes(1000))
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()


class Wrap(grpc.aio.ServerInterceptor):
    """Wraps unary behaviours, as logging and metrics do."""

    def __init__(self) -> None:
        self.codes: list[Any] = []

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def wrapped(request: Any, context: Any) -> Any:
            try:
                reply = await handler.unary_unary(request, context)
                reply.tags.append("wrapped")
                return reply
            finally:
                self.codes.append(context.code())

        return grpc.unary_unary_rpc_method_handler(wrapped, handler.request_deserializer, handler.response_serializer)


@every_engine
async def test_an_interceptor_may_wrap_behaviours(serve: Serve) -> None:
    wrap = Wrap()
    async with serve(interceptors=[wrap]) as served:
        both = Both(served)
        assert (await both.rest())[1]["tags"] == ["wrapped"]
        assert list((await both.grpc())[1].tags) == ["wrapped"]
        assert (await both.rest("missing"))[0] == 404
        assert (await both.grpc("missing"))[0] is grpc.StatusCode.NOT_FOUND
        # An abort has reached the client before the wrapper sees it.
        assert await until_here(lambda: len(wrap.codes) == 4)
        assert wrap.codes == [None, None, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.NOT_FOUND]


class Recode(grpc.aio.ServerInterceptor):
    """Reads and writes bytes by itself, and answers with a plain function."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        def parse(data: bytes) -> Any:
            request = handler.request_deserializer(data)
            request.dish_id += "!"
            return request

        def show(reply: Any) -> bytes:
            reply.title = "recoded"
            data: bytes = reply.SerializeToString()
            return data

        return grpc.unary_unary_rpc_method_handler(handler.unary_unary, parse, show)


class Bytes(grpc.aio.ServerInterceptor):
    """Answers in bytes, from a thread."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        def answer(request: bytes, context: Any) -> bytes:
            return pb.Dish(id="bytes").SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer)


class Redirect(grpc.aio.ServerInterceptor):
    """Passes on other call details."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        method = handler_call_details.method.replace("GetDish", "Unbound")
        # grpcio accepts no other class than its own.
        return await continuation(type(handler_call_details)(method, handler_call_details.invocation_metadata))


class Broken(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        raise RuntimeError("secret")


class Hide(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return None


@every_engine
@pytest.mark.parametrize(
    ("interceptor", "dish_id", "title"),
    [(Recode(), "1!", "recoded"), (Bytes(), "bytes", ""), (Redirect(), "1", "")],
    ids=["recode", "bytes", "redirect"],
)
async def test_an_interceptor_may_change_what_is_called(
    serve: Serve, interceptor: Any, dish_id: str, title: str
) -> None:
    async with serve(interceptors=[interceptor]) as served:
        both = Both(served)
        _, body = await both.rest()
        assert (body["id"], body["title"]) == (dish_id, title)
        _, reply = await both.grpc()
        assert (reply.id, reply.title) == (dish_id, title)


@every_engine
async def test_a_failing_interceptor_is_internal_without_details(serve: Serve) -> None:
    async with serve(interceptors=[Broken()]) as served:
        both = Both(served)
        status, body = await both.rest()
        assert (status, body["error"]["status"]) == (500, "INTERNAL")
        code, details = await both.grpc()
        assert code is grpc.StatusCode.INTERNAL
        assert "secret" not in str(body) + details


@every_engine
async def test_an_interceptor_may_hide_a_method(serve: Serve) -> None:
    async with serve(interceptors=[Hide()]) as served:
        both = Both(served)
        status, body = await both.rest()
        assert (status, body["error"]["message"]) == (501, "Method not found!")
        assert await both.grpc() == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


class WrapStream(grpc.aio.ServerInterceptor):
    """Wraps a stream, doubling each message."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)

        async def wrapped(request: Any, context: Any) -> AsyncIterator[Any]:
            async for message in handler.unary_stream(request, context):
                yield message
                yield message

        return grpc.unary_stream_rpc_method_handler(wrapped, handler.request_deserializer, handler.response_serializer)


async def test_an_interceptor_may_wrap_streams(serve: Serve) -> None:
    async with serve(interceptors=[WrapStream()]) as served:
        answer = await served.http.get("/v1/ticks?count=2")
        assert [tick["number"] for tick in answer.json()] == ["1", "1", "2", "2"]
        assert await ticks(served, 2) == [1, 1, 2, 2]


# Headers and metadata.


async def test_headers_become_metadata(serve: Serve) -> None:
    async with serve() as served:
        headers = {
            "Authorization": "Bearer t", "X-Request-Id": "7", "x-a-bin": "AAE,AQ==", "te": "trailers",
            "connection": "keep-alive, x-hop", "grpc-encoding": "gzip", "grpc-timeout": "9S",
        }  # fmt: skip
        found = (await served.http.get("/v1/inspect", headers=headers)).json()["metadata"]
        assert (found["authorization"], found["x-request-id"]) == ("Bearer t", "7")
        assert found["x-a-bin"] in ("AAE=", "AQ==")
        assert not found.keys() & {"te", "connection", "host", "grpc-encoding", "grpc-timeout", "content-length"}
        answer = await served.http.get("/v1/inspect", headers={"x-a-bin": "%"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({"metadata_allow": ("X-A",)}, {"x-a"}),
        ({"metadata_deny": ("X-A",)}, {"x-b"}),
        ({"metadata_allow": ("x-a", "x-b"), "metadata_deny": ("x-b",)}, {"x-a"}),
    ],
)
async def test_metadata_may_be_narrowed(serve: Serve, settings: dict[str, Any], seen: set[str]) -> None:
    async with serve(**settings) as served:
        found = (await served.http.get("/v1/inspect", headers={"x-a": "1", "X-B": "2"})).json()["metadata"]
        assert found.keys() & {"x-a", "x-b"} == seen


@every_engine
async def test_metadata_becomes_headers(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.http.get("/v1/inspect?httpCode=202&header=h&trailer=t")
        assert (answer.status_code, answer.headers["x-header"]) == (202, "h")
        assert answer.headers["grpc-trailer-x-trailer"] == "t"
        assert answer.headers["grpc-trailer-x-trailer-bin"] == "dA"
        assert "x-http-code" not in answer.headers
        assert (await served.http.get("/v1/inspect?httpCode=500")).status_code == 200  # a success remains a success
        answer = await served.http.get("/v1/inspect?httpCode=204")
        assert (answer.status_code, answer.content) == (204, b"")
        call = served.rpc.Inspect(pb.InspectRequest(http_code=202))
        assert dict(await call.initial_metadata())["x-http-code"] == "202"


class Wrong(Kitchen):
    """Returns values of types that its methods cannot send."""

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> Any:
        return "secret"

    async def Tick(self, request: pb.TickRequest, context: Context) -> AsyncIterator[Any]:
        yield "secret"


@every_engine
async def test_a_response_of_another_type_is_internal_without_details(serve: Serve) -> None:
    async with serve(Wrong()) as served:
        both = Both(served)
        status, body = await both.rest()
        assert (status, body["error"]["status"]) == (500, "INTERNAL")
        code, details = await both.grpc()
        assert code is grpc.StatusCode.INTERNAL
        stream = await served.http.get("/v1/ticks?count=1")
        assert (stream.status_code, stream.json()["error"]["status"]) == (500, "INTERNAL")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await ticks(served, 1)
        assert failed.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in str(body) + details + stream.text + str(failed.value.details())
        for said in (body["error"]["message"], details, failed.value.details()):
            assert said is not None
            assert said.startswith("internal error, id ")


@every_engine
async def test_malformed_and_oversized_grpc_requests(serve: Serve) -> None:
    limits = {"/kitchen.v1.KitchenService/GetDish": 20, "/kitchen.v1.KitchenService/Sum": 20}
    async with serve(max_body_bytes=1000, method_max_body_bytes=limits) as served:
        raw: Any = served.channel.unary_unary("/kitchen.v1.KitchenService/GetDish")
        for data, code in [(b"\xff\xff", "INVALID_ARGUMENT"), (b"\x0a\x13" + b"x" * 19, "RESOURCE_EXHAUSTED")]:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await raw(data)
            assert failed.value.code().name == code
        await raw(b"\x0a\x12" + b"x" * 18)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.rpc.Sum(iter([pb.TickResponse(number=1), pb.TickResponse(text="x" * 30)]))
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.rpc.ReplaceDish(pb.Dish(title="x" * 1001))
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await served.rpc.ReplaceDish(pb.Dish(title="x" * 900))).title == "x" * 900


async def test_sending_to_a_client_that_has_left_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """grpcio raises InternalError from `abort` then; a second one would be a UsageError, logged with a traceback."""

    class Gone:
        said = grpc.StatusCode.OK

        def code(self) -> grpc.StatusCode:
            return self.said

        async def abort(self, code: grpc.StatusCode, *_: Any) -> None:
            assert self.said is grpc.StatusCode.OK, "aborted twice"
            self.said = code
            raise grpc.aio.InternalError("the client has left")

    async def refuse(request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")

    with ThreadPoolExecutor(1) as threads:
        guarded: Any = Guard(threads, Stragglers()).guarded(grpc.unary_unary_rpc_method_handler(refuse), "/a.B/C")
        with pytest.raises(grpc.aio.InternalError, match="the client has left"):
            await guarded.unary_unary(None, Gone())
    assert not caplog.records
