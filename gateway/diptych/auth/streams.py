"""Streams that end when their caller's credentials expire, and calls that are authenticated only once they run.

It knows no credentials, only when they expire.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from time import time
from typing import Any

import grpc

from ..call.adapt import behaviour_of, generates, with_behaviour
from ..call.refusal import abort
from ..methods import Handler
from ..status import Code, error
from .refusals import EXPIRED, unauthenticated

_OVER = unauthenticated(EXPIRED)


def until(handler: Handler, expires: float) -> Handler:
    """Wraps a streaming handler so that it ends with UNAUTHENTICATED at `expires`, in seconds since 1970."""
    behaviour = behaviour_of(handler)
    if not (handler.response_streaming and generates(behaviour)):

        async def whole(request: Any, context: Any) -> Any:
            try:
                async with asyncio.timeout(expires - time()) as limit:
                    return await behaviour(request, context)
            except TimeoutError:
                if not limit.expired():
                    raise
            return await abort(context, _OVER)

        return with_behaviour(handler, whole)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        # The time-out is around each message, not around the loop: the generator is suspended at `yield` while a slow
        # client reads, and a time-out that fired then would cancel a task outside of this coroutine.
        async with aclosing(behaviour(request, context)) as messages:
            while True:
                try:
                    async with asyncio.timeout(expires - time()) as limit:
                        message = await anext(messages)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not limit.expired():
                        raise
                    break
                yield message
        await abort(context, _OVER)

    return with_behaviour(handler, stream)


def later(find: Callable[[Any], Awaitable[Handler]]) -> Handler:
    """Returns a handler that looks up the real one by `find` once it runs; `find` gets the context, and may abort.

    Its requests and responses are streams of bytes, which every kind of method is on the wire, so that nothing is read
    before `find` has accepted the call.
    """

    async def serve(requests: Any, context: Any) -> AsyncIterator[Any]:
        handler = await find(context)
        behaviour = behaviour_of(handler)
        own = _Parsed(context, handler)
        wrapped = own.each(requests) if handler.request_streaming else await own.only(requests)
        if handler.response_streaming and generates(behaviour):
            async with aclosing(behaviour(wrapped, own)) as messages:
                async for message in messages:
                    yield own.printed(message)
            return
        answer = await behaviour(wrapped, own)
        if not handler.response_streaming and context.code() in (None, Code.OK, 0):
            yield own.printed(answer)

    return grpc.stream_stream_rpc_method_handler(serve, _itself, None)


def _itself(data: bytes) -> bytes:
    return data  # a deserializer, so that message limits are applied


class _Parsed:
    """The context of a call that is bytes on one side and messages on the other."""

    def __init__(self, context: Any, handler: Handler) -> None:
        self._context = context
        self._parse: Any = handler.request_deserializer or _itself
        self._print: Any = handler.response_serializer or _itself

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def parsed(self, data: bytes) -> Any:
        try:
            return self._parse(data)
        except Exception:
            raise error(Code.INVALID_ARGUMENT, "cannot parse the request as the method's request type") from None

    def printed(self, message: Any) -> Any:
        return self._print(message)

    async def each(self, requests: Any) -> AsyncIterator[Any]:
        async for data in requests:
            yield self.parsed(data)

    async def only(self, requests: Any) -> Any:
        async for data in requests:
            return self.parsed(data)
        return await self._context.abort(Code.INVALID_ARGUMENT, "the method takes one message, and none came")

    async def read(self) -> Any:
        data = await self._context.read()
        return self.parsed(data) if isinstance(data, bytes) else data

    async def write(self, message: Any) -> None:
        await self._context.write(self.printed(message))
