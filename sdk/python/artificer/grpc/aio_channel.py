"""`AsyncChannel`, a `grpc.aio.Channel` over a pool of connections, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc
import grpc.aio

from .connect import Connect
from .health import AsyncHealth
from .hedged_call import HedgedCall
from .hedging import remaining
from .metadata import CallMetadata
from .options import ChannelOptions
from .pool import Connection, Pool

M = TypeVar("M")
Serializer = Callable[[Any], bytes] | None
Deserializer = Callable[[bytes], Any] | None
Metadata = Iterable[tuple[str, str | bytes]] | None


class AsyncChannel(grpc.aio.Channel):
    """A channel to `target` that is used as grpc.aio's own: `BatchServiceStub(AsyncChannel("127.0.0.1:50051"))`.

    Without a target it uses ARTIFICER_TARGET, or 127.0.0.1:50051. It connects with the first call, belongs to the event
    loop of that call, and must be closed; `async with` does so. A process that forks opens its channels after the fork.

    Raises ValueError for a malformed target and unusable options, OSError for missing certificate files.
    """

    def __init__(self, target: str | None = None, options: ChannelOptions | None = None) -> None:
        connect = Connect(target, options)
        self.target: str = connect.target.name
        """The address, as gRPC resolves it."""
        self.options: ChannelOptions = connect.options
        """The options, completed by the environment."""
        self._metadata = CallMetadata(connect.options)
        self._pool: Pool[grpc.aio.Channel] = Pool(
            connect.aio_channel, most=connect.options.max_connections, streams=connect.options.streams_per_connection
        )
        self.health: AsyncHealth = AsyncHealth(self)
        """The health of the server, by grpc.health.v1."""

    @property
    def connections(self) -> int:
        """How many connections the channel has."""
        return self._pool.size

    @property
    def closed(self) -> bool:
        """Whether the channel accepts no more calls."""
        return self._pool.closed

    async def wait_until_serving(self, service: str = "", timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Waits until the server reports `service` as SERVING; "" is the whole server. A server without health is too.

        Raises TimeoutError after `timeout` seconds, and grpc.RpcError if the server refuses to tell.
        """
        await self.health.wait_until_serving(service, timeout)

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        return _UnaryUnary(self, method, "unary_unary", request_serializer, response_deserializer, _registered_method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.UnaryStreamMultiCallable[Any, Any]:
        return _UnaryStream(self, method, "unary_stream", request_serializer, response_deserializer, _registered_method)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.StreamUnaryMultiCallable[Any, Any]:
        return _StreamUnary(self, method, "stream_unary", request_serializer, response_deserializer, _registered_method)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.aio.StreamStreamMultiCallable[Any, Any]:
        return _StreamStream(
            self, method, "stream_stream", request_serializer, response_deserializer, _registered_method
        )

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Returns the state of the first connection; SHUTDOWN once the channel is closed."""
        if self.closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        return self._pool.first().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the first connection's state is another."""
        await self._pool.first().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until the first connection is established."""
        await self._pool.first().channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """Refuses new calls, and closes the connections. Calls go on for `grace` seconds; then they are cancelled."""
        await asyncio.gather(*(channel.close(grace) for channel in self._pool.close()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()


class _Method(Generic[M]):
    """A method on each connection of a channel. `M` is grpc.aio's own callable of a connection."""

    def __init__(
        self,
        channel: AsyncChannel,
        method: str,
        kind: str,
        serializer: Serializer,
        deserializer: Deserializer,
        registered: bool | None,
    ) -> None:
        self._pool = channel._pool
        self._complete = channel._metadata.complete
        # A stream of responses has no default time-out.
        self._timeout = channel.options.timeout if kind.endswith("unary") else None
        self._wait = channel.options.wait_for_ready
        hedging = channel.options.hedging if kind == "unary_unary" else None
        self._hedging = hedging if hedging is not None and hedging.covers(method) else None
        self._shape: tuple[Any, ...] = (method, serializer, deserializer, registered)
        self._kind = kind
        self._bound: dict[Connection[grpc.aio.Channel], M] = {}

    def _start(
        self,
        beside: Connection[grpc.aio.Channel] | None,
        request: Any,
        timeout: float | None,
        metadata: Metadata,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
    ) -> tuple[Connection[grpc.aio.Channel], Any]:
        """Begins a call; its connection is given back when it has ended."""
        connection = self._pool.take(beside=beside)
        try:
            bound: Any = self._bound.get(connection)
            if bound is None:
                bound = self._bound[connection] = getattr(connection.channel, self._kind)(*self._shape)
            call = bound(
                request,
                timeout=self._timeout if timeout is None else timeout,
                metadata=self._complete(metadata),
                credentials=credentials,
                wait_for_ready=self._wait if wait_for_ready is None else wait_for_ready,
                compression=compression,
            )
        except BaseException:
            self._pool.give(connection)
            raise
        call.add_done_callback(lambda _: self._pool.give(connection))
        return connection, call

    def _call(
        self,
        request: Any = None,
        timeout: float | None = None,
        metadata: Metadata = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        others = (metadata, credentials, wait_for_ready, compression)
        if self._hedging is not None:
            left = remaining(self._timeout if timeout is None else timeout)
            return HedgedCall(self._hedging, lambda beside: self._start(beside, request, left(), *others))
        return self._start(None, request, timeout, *others)[1]


# The signatures are those of `_call`; Any, since the four kinds of gRPC differ in the first argument's name.


class _UnaryUnary(_Method[Any], grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    __call__: Any = _Method._call


class _UnaryStream(_Method[Any], grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    __call__: Any = _Method._call


class _StreamUnary(_Method[Any], grpc.aio.StreamUnaryMultiCallable[Any, Any]):
    def __call__(self, request_iterator: Any = None, *others: Any, **named: Any) -> Any:
        return self._call(request_iterator, *others, **named)


class _StreamStream(_Method[Any], grpc.aio.StreamStreamMultiCallable[Any, Any]):
    def __call__(self, request_iterator: Any = None, *others: Any, **named: Any) -> Any:
        return self._call(request_iterator, *others, **named)
