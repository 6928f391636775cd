"""The engine `native`: pygrpc-native's server, adapted to behave as grpcio's does.

It is an extra, imported only if it is chosen. It passes client-streaming methods and generic handlers to an internal
grpcio server, which has grpcio's own contexts.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import grpc
import pygrpc_native
import pygrpc_native.aio

from ..call import behaviour_of
from ..call.one import DETAILS_KEY
from ..methods import Handler

# Seconds between two looks at a client that reads slowly: the first wait, doubled up to the second.
SOON, LATE = 0.0005, 0.05
# How often, and for how many seconds, a stop waits before it closes the connections, once all answers have been passed
# to HTTP/2: the engine reports neither when they are written nor the answers of the internal server. New calls are
# refused meanwhile.
LEAVES, LEAVE_SECONDS = 10, 0.01


class NativeServer(pygrpc_native.aio.Server):
    """pygrpc-native's server, except that slow readers block only their own streams, and a stop loses no answer."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._front_args = {**self._front_args, "metrics": True}  # they tell a stop which answers were sent

    async def stop(self, grace: float | None) -> None:
        """Refuses new calls, lets running ones finish within `grace` seconds, then cancels them."""
        # The original closes all connections as soon as the last servicer returns: with twenty calls during a stop, a
        # quarter of the answers were lost.
        if self._stopping or not grace:
            await super().stop(grace)
            return
        self._stopping = True
        running: list[asyncio.Future[Any]] = [call.task for call in self._calls.values() if call.task is not None]
        if self._fallback is not None:
            running.append(asyncio.ensure_future(self._fallback.stop(grace)))
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        if running:
            await asyncio.wait(running, timeout=grace)
        wait = SOON
        while self._unsent() and loop.time() < end:
            await asyncio.sleep(wait)
            wait = min(2 * wait, LATE)
        for _ in range(LEAVES):  # if the machine pauses, the engine pauses too, and one of these is over
            await asyncio.sleep(LEAVE_SECONDS)
        self._stopping = False
        await super().stop(max(0.0, end - loop.time()))

    def _unsent(self) -> int:
        """Returns the number of calls with bytes that HTTP/2 has not taken: it takes no more than the client reads."""
        counted = None if self._front is None else self._front.metrics()
        methods = counted["methods"].values() if counted else ()
        return sum(method["started"] - sum(ended["count"] for ended in method["status"].values()) for method in methods)

    async def _send(self, call: Any, context: Any, response: Any) -> bool:
        # The original waits for buffer space in a thread of the loop's default pool. A few clients that do not read
        # occupy all threads: then all streams stall, and the stop, which needs a thread too, never ends.
        data = self._encode(call, context, response)
        if data is None or self._front is None:
            return False
        context._initial_sent = True
        wait = SOON
        while (sent := self._front.stream_try_send(call.call_id, data)) == pygrpc_native.STREAM_FULL:
            await asyncio.sleep(wait)
            wait = min(2 * wait, LATE)
        return bool(sent != pygrpc_native.STREAM_CLOSED)


class HandlerLookup(grpc.aio.ServerInterceptor):
    """The innermost interceptor: finds the handler by the method in the call details, which interceptors may change."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        return self._handlers.get(handler_call_details.method) or await continuation(handler_call_details)


class CardinalityAdapter(grpc.aio.ServerInterceptor):
    """The outermost interceptor: lets interceptors return a streaming handler for a unary method.

    Both look the same on the wire, and grpcio accepts either; this engine does not.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._single = {path: handler for path, handler in handlers.items() if not handler.request_streaming}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        known = self._single.get(handler_call_details.method)
        if handler is None or known is None:
            return handler  # unknown, or client-streaming, which the grpcio server serves
        streams, streamed = known.response_streaming, handler.response_streaming
        if not handler.request_streaming and (streams or not streamed):
            return handler
        behaviour: Any = behaviour_of(handler)
        if handler.request_streaming:
            behaviour = _with_one_request(behaviour)
        if streamed and not streams:
            behaviour = _with_one_response(behaviour)
        make = grpc.unary_stream_rpc_method_handler if streamed and streams else grpc.unary_unary_rpc_method_handler
        adapted: Handler = make(behaviour, handler.request_deserializer, handler.response_serializer)
        return adapted


def _with_one_request(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    async def only(request: Any) -> AsyncIterator[Any]:
        yield request

    if not inspect.isasyncgenfunction(behaviour):

        async def answer(request: Any, context: Any) -> Any:
            return await behaviour(only(request), context)

        return answer

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        async with aclosing(behaviour(only(request), context)) as messages:
            async for message in messages:
                yield message

    return stream


def _with_one_response(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    async def answer(request: Any, context: Any) -> Any:
        async with aclosing(behaviour(request, context)) as messages:
            async for message in messages:
                return message
        return b""  # the status says why there is none

    return answer


class AbortedTwice(grpc.aio.UsageError, grpc.aio.AbortError):
    """grpcio's error for a second abort, and the one that ends a call, so that the first abort's status is sent."""


class NativeContext:
    """Wraps pygrpc-native's context so that it returns and raises what grpcio's does."""

    __slots__ = ("_aborted", "_context")

    def __init__(self, context: Any) -> None:
        self._context = context
        self._aborted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def time_remaining(self) -> float | None:
        left: float = self._context.time_remaining()
        return None if left >= sys.maxsize else left

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        try:
            await self._context.send_initial_metadata(initial_metadata)
        except ValueError:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent") from None

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> Any:
        if self._aborted:
            raise AbortedTwice("Abort already called!")
        self._aborted = True
        await self._context.abort(code, details, _sendable(trailing_metadata))

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._context.set_trailing_metadata(_sendable(trailing_metadata))

    async def abort_with_status(self, status: grpc.Status) -> Any:
        await self.abort(status.code, status.details or "", status.trailing_metadata or ())


def _sendable(trailing_metadata: Any) -> tuple[Any, ...]:
    """Removes gRPC's reserved keys (such as a retry's pushback), with which the engine never ends a call."""
    pairs = trailing_metadata or ()
    return tuple([pair for pair in pairs if not pair[0].startswith("grpc-") or pair[0] == DETAILS_KEY])


def grpcio_context(context: Any) -> Any:
    """Returns a context that behaves as grpcio's does; grpcio's own, from the internal server, is returned as is."""
    return NativeContext(context) if isinstance(context, grpc.aio.ServicerContext) else context


def make(
    handlers: Mapping[str, Handler], interceptors: Sequence[Any], options: Sequence[tuple[str, Any]]
) -> grpc.aio.Server:
    """Returns a server that behaves as grpcio's does."""
    return NativeServer(
        interceptors=[CardinalityAdapter(handlers), *interceptors, HandlerLookup(handlers)] if interceptors else [],
        options=options,
    )
