"""`Channel`, a `grpc.Channel` over a pool of connections, for blocking calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import grpc

from .connect import Connect
from .health import Health
from .hedging import hedged, remaining
from .metadata import CallMetadata, Pairs
from .options import ChannelOptions
from .pool import Connection, Pool

M = TypeVar("M")
Serializer = Callable[[Any], bytes] | None
Deserializer = Callable[[bytes], Any] | None


class Channel(grpc.Channel):
    """A channel to `target` that is used as gRPC's own: `BatchServiceStub(Channel("127.0.0.1:50051"))`.

    Without a target it uses ARTIFICER_TARGET, or 127.0.0.1:50051. It connects with the first call, may be used by many
    threads, and must be closed; `with` does so. A process that forks opens its channels after the fork.

    Raises ValueError for a malformed target and unusable options, OSError for missing certificate files.
    """

    def __init__(self, target: str | None = None, options: ChannelOptions | None = None) -> None:
        connect = Connect(target, options)
        if connect.options.interceptors:
            raise ValueError("`interceptors` is for AsyncChannel; add those of a Channel by grpc.intercept_channel")
        self.target: str = connect.target.name
        """The address, as gRPC resolves it."""
        self.options: ChannelOptions = connect.options
        """The options, completed by the environment."""
        self._metadata = CallMetadata(connect.options)
        self._pool: Pool[grpc.Channel] = Pool(
            connect.channel, most=connect.options.max_connections, streams=connect.options.streams_per_connection
        )
        self.health: Health = Health(self)
        """The health of the server, by grpc.health.v1."""

    @property
    def connections(self) -> int:
        """How many connections the channel has."""
        return self._pool.size

    @property
    def closed(self) -> bool:
        """Whether the channel accepts no more calls."""
        return self._pool.closed

    def wait_until_serving(self, service: str = "", timeout: float | None = None) -> None:
        """Waits until the server reports `service` as SERVING; "" is the whole server. A server without health is too.

        Raises TimeoutError after `timeout` seconds, and grpc.RpcError if the server refuses to tell.
        """
        self.health.wait_until_serving(service, timeout)

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryUnaryMultiCallable[Any, Any]:
        return _UnaryUnary(self, method, "unary_unary", request_serializer, response_deserializer, _registered_method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryStreamMultiCallable[Any, Any]:
        return _UnaryStream(self, method, "unary_stream", request_serializer, response_deserializer, _registered_method)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.StreamUnaryMultiCallable[Any, Any]:
        return _StreamUnary(self, method, "stream_unary", request_serializer, response_deserializer, _registered_method)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool | None = False,
    ) -> grpc.StreamStreamMultiCallable[Any, Any]:
        return _StreamStream(
            self, method, "stream_stream", request_serializer, response_deserializer, _registered_method
        )

    def subscribe(
        self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Calls back with each state of the first connection."""
        self._pool.first().subscribe(callback, bool(try_to_connect))

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        """Ends a subscription."""
        if not self.closed:
            self._pool.first().unsubscribe(callback)

    def close(self, grace: float | None = None) -> None:
        """Refuses new calls, and closes the connections. Calls go on for `grace` seconds; then they are cancelled."""
        channels = self._pool.close()
        if grace:
            self._pool.wait_until_idle(grace)
        for channel in channels:
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        self.close()


class _Method(Generic[M]):
    """A method on each connection of a channel. `M` is gRPC's own callable of a connection."""

    def __init__(
        self,
        channel: Channel,
        method: str,
        kind: str,
        serializer: Serializer,
        deserializer: Deserializer,
        registered: bool | None,
    ) -> None:
        self._pool = channel._pool
        self._complete = channel._metadata.complete
        self._timeout = channel.options.timeout
        self._wait = channel.options.wait_for_ready
        hedging = channel.options.hedging if kind == "unary_unary" else None
        self._hedging = hedging if hedging is not None and hedging.covers(method) else None
        self._shape: tuple[Any, ...] = (method, serializer, deserializer, registered)
        self._kind = kind
        self._bound: dict[Connection[grpc.Channel], M] = {}

    def _begin(self, beside: Connection[grpc.Channel] | None = None) -> tuple[Connection[grpc.Channel], M]:
        connection = self._pool.take(beside=beside)
        bound = self._bound.get(connection)
        if bound is None:
            # Two threads may both bind; either result will do.
            bound = self._bound[connection] = getattr(connection.channel, self._kind)(*self._shape)
        return connection, bound

    def _given_back(self, connection: Connection[grpc.Channel], call: Any) -> Any:
        """Gives the connection back when the call has ended."""
        if not call.add_callback(lambda: self._pool.give(connection)):
            self._pool.give(connection)
        return call


class _Unary(_Method[Any]):
    """What the methods with one response have in common."""

    def _call(
        self,
        request: Any = None,
        timeout: float | None = None,
        metadata: Pairs | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        if self._hedging is not None:
            return self._with_call(request, timeout, metadata, credentials, wait_for_ready, compression)[0]
        connection, bound = self._begin()
        try:
            return bound(
                request,
                self._timeout if timeout is None else timeout,
                self._complete(metadata),
                credentials,
                self._wait if wait_for_ready is None else wait_for_ready,
                compression,
            )
        finally:
            self._pool.give(connection)

    def _with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Pairs | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> tuple[Any, grpc.Call]:
        if self._hedging is not None:
            left = remaining(self._timeout if timeout is None else timeout)
            others = (metadata, credentials, wait_for_ready, compression)
            call = hedged(self._hedging, lambda beside: self._started(beside, request, left(), *others))
            return call.result(), call
        connection, bound = self._begin()
        try:
            answer: tuple[Any, grpc.Call] = bound.with_call(
                request,
                self._timeout if timeout is None else timeout,
                self._complete(metadata),
                credentials,
                self._wait if wait_for_ready is None else wait_for_ready,
                compression,
            )
            return answer
        finally:
            self._pool.give(connection)

    def _future(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Pairs | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._started(None, request, timeout, metadata, credentials, wait_for_ready, compression)[1]

    def _started(
        self,
        beside: Connection[grpc.Channel] | None,
        request: Any,
        timeout: float | None,
        metadata: Pairs | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
    ) -> tuple[Connection[grpc.Channel], Any]:
        connection, bound = self._begin(beside)
        try:
            call = bound.future(
                request,
                self._timeout if timeout is None else timeout,
                self._complete(metadata),
                credentials,
                self._wait if wait_for_ready is None else wait_for_ready,
                compression,
            )
        except BaseException:
            self._pool.give(connection)
            raise
        call.add_done_callback(lambda _: self._pool.give(connection))
        return connection, call


class _Streaming(_Method[Any]):
    """What the methods with a stream of responses have in common: they have no default time-out."""

    def _call(
        self,
        request: Any = None,
        timeout: float | None = None,
        metadata: Pairs | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        connection, bound = self._begin()
        wait = self._wait if wait_for_ready is None else wait_for_ready
        try:
            call = bound(request, timeout, self._complete(metadata), credentials, wait, compression)
        except BaseException:
            self._pool.give(connection)
            raise
        return self._given_back(connection, call)


if TYPE_CHECKING:
    UnaryUnary = grpc.UnaryUnaryMultiCallable[Any, Any]
    UnaryStream = grpc.UnaryStreamMultiCallable[Any, Any]
    StreamUnary = grpc.StreamUnaryMultiCallable[Any, Any]
    StreamStream = grpc.StreamStreamMultiCallable[Any, Any]
else:  # these classes of gRPC are generic in its stubs only
    UnaryUnary, UnaryStream = grpc.UnaryUnaryMultiCallable, grpc.UnaryStreamMultiCallable
    StreamUnary, StreamStream = grpc.StreamUnaryMultiCallable, grpc.StreamStreamMultiCallable

# The signatures are those of `_call`; Any, since the four kinds of gRPC differ in the first argument's name.


class _UnaryUnary(_Unary, UnaryUnary):
    __call__: Any = _Unary._call
    with_call: Any = _Unary._with_call
    future: Any = _Unary._future


class _UnaryStream(_Streaming, UnaryStream):
    __call__: Any = _Streaming._call


class _StreamUnary(_Unary, StreamUnary):
    def __call__(self, request_iterator: Iterator[Any], *others: Any, **named: Any) -> Any:
        return self._call(request_iterator, *others, **named)

    def with_call(self, request_iterator: Iterator[Any], *others: Any, **named: Any) -> tuple[Any, grpc.Call]:
        return self._with_call(request_iterator, *others, **named)

    def future(self, request_iterator: Iterator[Any], *others: Any, **named: Any) -> Any:
        return self._future(request_iterator, *others, **named)


class _StreamStream(_Streaming, StreamStream):
    def __call__(self, request_iterator: Iterator[Any], *others: Any, **named: Any) -> Any:
        return self._call(request_iterator, *others, **named)
