"""The stream of requests of a call, which a servicer reads by iterating or by `context.read()`.

It knows no protocol: a `Source` returns received messages, and a function converts them to the handler's type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol, Self

import grpc

from ..status import Status, StatusError
from .pipe import TURN_SECONDS
from .run import ClientGone


class Source(Protocol):
    """Returns requests as they arrive, one at a time, as fast as the servicer reads them."""

    def take(self) -> Any:
        """Returns the next request if it has arrived, None if it has not. Raises `StatusError` for an invalid one."""

    async def __anext__(self) -> Any:
        """Returns the next request; raises StopAsyncIteration at the end.

        Raises `StatusError` for an invalid request, and `ClientGone` if the client disconnected before the end.
        """


class One:
    """A source of one request, if an interceptor replaced a unary handler by one with a client stream."""

    def __init__(self, request: Any) -> None:
        self._request = [request]

    def take(self) -> Any:
        return self._request.pop() if self._request else None

    async def __anext__(self) -> Any:
        if not self._request:
            raise StopAsyncIteration
        return self._request.pop()


class Requests:
    """The request iterator of a servicer.

    Many small requests arrive at once, and a servicer that only reads them never waits. So it gives way to other calls
    every `TURN_SECONDS`.
    """

    __slots__ = ("_convert", "_source", "_take", "_turn_ends", "fault", "left")

    def __init__(self, source: Source, convert: Callable[[Any], Any]) -> None:
        self._source, self._convert, self._take = source, convert, source.take
        self._turn_ends = 0.0
        self.fault: Status | None = None
        """The status of the invalid request that ended the stream, as its face made it."""
        self.left = False
        """Whether the client disconnected before the end."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            if perf_counter() > self._turn_ends:
                await asyncio.sleep(0)
                self._turn_ends = perf_counter() + TURN_SECONDS
            request = self._take()
            return self._convert(await self._source.__anext__() if request is None else request)
        except StatusError as unfit:
            self.fault = unfit.status
            raise
        except ClientGone:
            self.left = True
            raise asyncio.CancelledError from None  # as grpcio does while a servicer waits for a request

    def faulted(self, status: Status) -> Status:
        """Returns a servicer's status with the HTTP status and headers of the invalid request, if it reports that.

        The servicer may have put something before the message, such as the number of the request.
        """
        fault = self.fault
        if fault is None or fault.code is not status.code or not status.message.endswith(fault.message):
            return status
        return replace(fault, message=status.message, details=status.details or fault.details)

    async def read(self) -> Any:
        """Returns the next request, or `grpc.aio.EOF`, like grpcio's `context.read()`."""
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            return grpc.aio.EOF
