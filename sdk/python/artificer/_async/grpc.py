"""The gRPC transport for asyncio: a channel of `artificer.grpc`, messages converted to models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NoReturn

import grpc.aio

from .._attempt import Attempt, Metadata, Reply
from .._grpc import calls as rpc
from .._method import Kind, Method
from .._options import ClientOptions
from ..errors import CancelledError
from ..grpc import AsyncChannel
from . import platform
from .requests import AsyncRequests
from .transport import AsyncLateResponses, AsyncResponses

if TYPE_CHECKING:
    from ..types.base import Model

_KINDS = {
    Kind.UNARY: "unary_unary",
    Kind.SERVER_STREAM: "unary_stream",
    Kind.CLIENT_STREAM: "stream_unary",
    Kind.DUPLEX: "stream_stream",
}


class AsyncGrpcTransport:
    """Calls methods by their full names."""

    def __init__(self, options: ClientOptions) -> None:
        self._channel = AsyncChannel(options.target, rpc.channel_options(options))
        self._bound: dict[Method[Any, Any], Any] = {}

    async def unary(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> Reply[Any]:
        """Sends one request for one response."""
        return await _reply(self._call(method, rpc.written(request), attempt), attempt)

    async def server_stream(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> AsyncResponses[Any]:
        """Sends one request; returns once the server has begun to answer."""
        responses = _Responses(self._call(method, rpc.written(request), attempt))
        await responses.begun()
        return responses

    async def client_stream(self, method: Method[Any, Any], requests: AsyncRequests, attempt: Attempt) -> Reply[Any]:
        """Sends requests as they come for one response."""
        requests.convert = rpc.written
        return await _reply(self._call(method, requests, attempt), attempt, requests)

    async def duplex(
        self, method: Method[Any, Any], requests: AsyncRequests, attempt: Attempt
    ) -> AsyncLateResponses[Any]:
        """Sends requests as they come while responses arrive."""
        requests.convert = rpc.written
        call = self._call(method, requests, attempt)
        call.add_done_callback(lambda _: requests.ended())
        return _Responses(call, requests)

    async def aclose(self) -> None:
        """Ends every call and closes the connections."""
        await self._channel.close()

    def _call(self, method: Method[Any, Any], request: Any, attempt: Attempt) -> Any:
        bound = self._bound.get(method)
        if bound is None:
            start = getattr(self._channel, _KINDS[method.kind])
            bound = self._bound[method] = start(f"/{method.name}", None, rpc.reading(method))
        return bound(request, timeout=attempt.timeout, metadata=attempt.headers or None)


class _Responses:
    """The responses of a call."""

    def __init__(self, call: Any, sent: AsyncRequests | None = None) -> None:
        self._call, self._sent = call, sent
        self.metadata: Metadata = {}

    async def begun(self) -> None:
        """Returns once the server has begun to answer."""
        try:
            self.metadata = rpc.metadata(await self._call.initial_metadata())
            if self._call.done() and await self._call.code() is not grpc.StatusCode.OK:
                await _raise(self._call, self._sent)
        except asyncio.CancelledError as error:
            await _cancelled(self._call, self._sent, error)
        except grpc.aio.AioRpcError:
            await _raise(self._call, self._sent)

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for response in self._call:
                if not self.metadata:
                    self.metadata = rpc.metadata(await self._call.initial_metadata())
                yield rpc.value(response)
        except asyncio.CancelledError as error:
            await _cancelled(self._call, self._sent, error)
        except grpc.aio.AioRpcError:
            await _raise(self._call, self._sent)

    async def aclose(self) -> None:
        """Ends the call."""
        self._call.cancel()

    def __del__(self) -> None:
        # grpcio keeps a call that was forgotten open, with its task, and the server goes on with its work.
        if not self._call.done():
            platform.drop(self.aclose)


async def _reply(call: Any, attempt: Attempt, sent: AsyncRequests | None = None) -> Reply[Any]:
    initial = trailing = None
    try:
        value = await call
        if attempt.reads_metadata:
            initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    except asyncio.CancelledError as error:
        await _cancelled(call, sent, error)
    except grpc.aio.AioRpcError:
        await _raise(call, sent)
    return Reply(rpc.value(value), rpc.metadata(initial), rpc.metadata(trailing))


async def _raise(call: Any, sent: AsyncRequests | None) -> NoReturn:
    if sent is not None and sent.failure is not None:
        raise sent.failure
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    status = grpc.aio.AioRpcError(await call.code(), initial, trailing, await call.details())
    raise rpc.error(status, initial, trailing) from None


async def _cancelled(call: Any, sent: AsyncRequests | None, error: asyncio.CancelledError) -> NoReturn:
    call.cancel()
    if sent is not None and sent.failure is not None:
        raise sent.failure from None
    task = asyncio.current_task()
    if task is not None and not task.cancelling():
        raise CancelledError("the call was closed") from None
    raise error
