"""Answers over gRPC of servers that send what the contracts do not have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from artificer import Artificer, AsyncArtificer
from artificer.errors import UnavailableError, UnknownError

Answer = Callable[[Any], Awaitable[bytes]]
UNREADABLE = [b"\xff\xff\xff", b"\x0a\x01\xff"]  # no field, and a text that is not UTF-8
both = pytest.mark.parametrize("mode", ["sync", "async"])


class _Everything(grpc.GenericRpcHandler):
    """Answers every method with bytes; a stream has an empty message before them."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def service(self, handler_call_details: Any) -> Any:
        if "/Stream" in handler_call_details.method:
            return grpc.unary_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self._unary)

    async def _unary(self, request: bytes, context: Any) -> bytes:
        return await self._answer(context)

    async def _stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b""
        yield await self._answer(context)


@asynccontextmanager
async def rude_grpc(answer: Answer) -> AsyncIterator[dict[str, Any]]:
    """Runs a server; yields the options of its client."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Everything(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield {"transport": "grpc", "target": f"127.0.0.1:{port}"}
    finally:
        await server.stop(None)


async def job(mode: str, options: dict[str, Any]) -> Any:
    """Gets a job."""
    if mode == "async":
        async with AsyncArtificer(**options) as client:
            return await client.batch.get("j")
    with Artificer(**options) as other:
        return await asyncio.to_thread(other.batch.get, "j")


async def messages(mode: str, options: dict[str, Any]) -> list[Any]:
    """Reads the messages of a channel."""
    if mode == "async":
        async with AsyncArtificer(**options) as client:
            return [message async for message in client.channels.messages.stream("lobby")]
    with Artificer(**options) as other:
        return await asyncio.to_thread(list, other.channels.messages.stream("lobby"))


@both
@pytest.mark.parametrize("content", UNREADABLE)
async def test_bytes_that_are_no_message(mode: str, content: bytes) -> None:
    """They are an APIError, as JSON of another form is over REST."""

    async def answer(context: Any) -> bytes:
        return content

    async with rude_grpc(answer) as options:
        with pytest.raises(UnknownError, match="the answer is not a Job"):
            await job(mode, options)
        with pytest.raises(UnknownError, match="the answer is not a Message"):
            await messages(mode, options)


@both
@pytest.mark.parametrize("seconds", [-5, 10**18])
async def test_a_pause_that_is_no_duration(mode: str, seconds: int) -> None:
    """It counts as none: the pause before another attempt is the client's own."""
    status = status_pb2.Status(code=14, message="busy")
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds)))
    status.details.append(detail)

    async def answer(context: Any) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        raise AssertionError

    async with rude_grpc(answer) as options:
        with pytest.raises(UnavailableError, match="busy") as raised:
            await job(mode, options)
    assert raised.value.retry_after is None
