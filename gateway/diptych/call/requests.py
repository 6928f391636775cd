"""The stream of requests of one call, as a servicer reads it: by iterating, or by `context.read()`.

It knows no wire: a `Source` gives what came, and a function makes it what the handler takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, Self

import grpc

from ..status import Status, StatusError
from .run import ClientGone


class Source(Protocol):
    """Requests as they come. It is read one at a time, as fast as the servicer asks."""

    async def __anext__(self) -> Any:
        """The next request; StopAsyncIteration when the client has sent all.

        Raises `StatusError` for what cannot be a request, and `ClientGone` when the client left before the end.
        """


class One:
    """A stream of one request, where an interceptor put a streaming handler before a method that takes one."""

    def __init__(self, request: Any) -> None:
        self._request = [request]

    async def __anext__(self) -> Any:
        if not self._request:
            raise StopAsyncIteration
        return self._request.pop()


class Requests:
    """What a servicer whose client streams is given."""

    __slots__ = ("_made", "_source", "fault")

    def __init__(self, source: Source, made: Callable[[Any], Any]) -> None:
        self._source, self._made = source, made
        self.fault: Status | None = None
        """What was wrong with the request that ended the stream, as its face words it."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return self._made(await self._source.__anext__())
        except StatusError as unfit:
            self.fault = unfit.status
            raise
        except ClientGone:
            raise asyncio.CancelledError from None  # what grpcio does to whoever waits for a request

    async def read(self) -> Any:
        """The next request, or `grpc.aio.EOF`, as grpcio's `context.read()`."""
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            return grpc.aio.EOF
