"""The health of a server, by grpc.health.v1: asked once, watched, or waited for."""

from __future__ import annotations

import asyncio
import enum
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0
# With these a server does not tell, however often it is asked.
_FINAL = frozenset(
    (
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    )
)


class HealthStatus(enum.Enum):
    """What a server reports of a service."""

    UNKNOWN = 0
    """Nothing is known, as while there is no connection."""
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3
    """The server has no service of this name yet."""


class _Waits:
    """Growing delays between two attempts, until `timeout` seconds have passed."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout
        self.reset()

    def reset(self) -> None:
        self._next = _FIRST_WAIT

    @property
    def left(self) -> float | None:
        """The seconds that are left; None without a bound."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        return self.left == 0

    def next(self) -> float:
        delay = self._next * random.uniform(0.5, 1.0)  # noqa: S311, spreads the attempts of clients
        self._next = min(self._next * 2, _LONGEST_WAIT)
        return delay if self.left is None else min(delay, self.left)


class Health:
    """The health of the server behind a channel. Raises grpc.RpcError if the server refuses to tell it."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def check(self, service: str = "", timeout: float | None = 5.0) -> HealthStatus:
        """Asks once. Raises grpc.RpcError without an answer, NOT_FOUND for a service that the server does not know."""
        request, stub = _stub(self._channel, service)
        return HealthStatus(stub.Check(request, timeout=timeout).status)

    def watch(self, service: str = "") -> Iterator[HealthStatus]:
        """Yields the status and then each change, until the channel is closed. It is UNKNOWN without a connection."""
        return self._watch(service, _Waits(None))

    def wait_until_serving(self, service: str = "", timeout: float | None = None) -> None:
        """Waits until the service is SERVING. Raises TimeoutError, and ValueError if the channel is closed."""
        seen = HealthStatus.UNKNOWN
        try:
            for seen in self._watch(service, _Waits(timeout)):
                if seen is HealthStatus.SERVING:
                    return
        except grpc.RpcError as error:
            if not _without_health(error):
                raise
            return
        raise _not_serving(self._channel, service, timeout, seen)

    def _watch(self, service: str, waits: _Waits) -> Iterator[HealthStatus]:
        last: HealthStatus | None = None
        request, stub = _stub(self._channel, service)
        while not (waits.over or self._channel.closed):
            try:
                call = stub.Watch(request, timeout=waits.left, wait_for_ready=last is HealthStatus.UNKNOWN)
            except ValueError:  # the channel was closed meanwhile
                return
            try:
                for response in call:
                    waits.reset()
                    last = HealthStatus(response.status)
                    yield last
            except grpc.RpcError as error:
                if _final(error):
                    raise
            finally:
                call.cancel()
            if self._channel.closed or waits.over:
                return
            if last is not HealthStatus.UNKNOWN:
                last = HealthStatus.UNKNOWN
                yield last
            time.sleep(waits.next())


class AsyncHealth:
    """The health of the server behind an asyncio channel. Raises grpc.RpcError if the server refuses to tell it."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    async def check(self, service: str = "", timeout: float | None = 5.0) -> HealthStatus:  # noqa: ASYNC109
        """Asks once. Raises grpc.RpcError without an answer, NOT_FOUND for a service that the server does not know."""
        request, stub = _stub(self._channel, service)
        return HealthStatus((await stub.Check(request, timeout=timeout)).status)

    def watch(self, service: str = "") -> AsyncIterator[HealthStatus]:
        """Yields the status and then each change, until the channel is closed. It is UNKNOWN without a connection."""
        watched: AsyncIterator[HealthStatus] = self._watch(service, _Waits(None))
        return watched

    async def wait_until_serving(self, service: str = "", timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Waits until the service is SERVING. Raises TimeoutError, and ValueError if the channel is closed."""
        seen = HealthStatus.UNKNOWN
        watched = self._watch(service, _Waits(timeout))
        try:
            async for seen in watched:
                if seen is HealthStatus.SERVING:
                    return
        except grpc.RpcError as error:
            if not _without_health(error):
                raise
            return
        finally:
            await watched.aclose()
        raise _not_serving(self._channel, service, timeout, seen)

    async def _watch(self, service: str, waits: _Waits) -> Any:
        last: HealthStatus | None = None
        request, stub = _stub(self._channel, service)
        while not (waits.over or self._channel.closed):
            try:
                call = stub.Watch(request, timeout=waits.left, wait_for_ready=last is HealthStatus.UNKNOWN)
            except ValueError:  # the channel was closed meanwhile
                return
            try:
                async for response in call:
                    waits.reset()
                    last = HealthStatus(response.status)
                    yield last
            except grpc.RpcError as error:
                if _final(error):
                    raise
            finally:
                call.cancel()
            if self._channel.closed or waits.over:
                return
            if last is not HealthStatus.UNKNOWN:
                last = HealthStatus.UNKNOWN
                yield last
            await asyncio.sleep(waits.next())


def _stub(channel: Any, service: str) -> tuple[Any, Any]:
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # takes 10 ms, which programs that do not ask need not pay

    return health_pb2.HealthCheckRequest(service=service), health_pb2_grpc.HealthStub(channel)


def _final(error: grpc.RpcError) -> bool:
    return error.code() in _FINAL


def _without_health(error: grpc.RpcError) -> bool:
    # gRFC A17: a server that does not implement health is taken for a healthy one.
    return error.code() is grpc.StatusCode.UNIMPLEMENTED


def _not_serving(channel: Any, service: str, timeout: float | None, seen: HealthStatus) -> Exception:
    if channel.closed:
        return ValueError("the channel is closed")
    name = f"'{service}'" if service else "the server"
    return TimeoutError(f"{name} at {channel.target} was not SERVING within {timeout:g} seconds; it was {seen.name}")
