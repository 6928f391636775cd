"""The life of a call, the same for every face: begin, open, read, run, answer, end.

Deadlines, disconnects, blame, records and requests that match no method are decided here and nowhere else. It knows no
wire: an `Adapter` reads one request and writes its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..call import AnyCall, Calls, ClientGone, One, Pack, Source, before
from ..codec import Printed
from ..exchange import BodyTimeouts, Disconnected, Scope, origin_of, raw_path
from ..metadata import AnyMetadata, Metadata, read
from ..methods import Method
from ..origin import Origin, ProtocolName
from ..settings import Settings
from ..status import Code, Status, StatusError, error
from ..telemetry import Unmatched

STOPPING = Status(code=Code.UNAVAILABLE, message="the server is stopping")


class Writer(Protocol):
    """Writes one streamed answer.

    Messages are printed before they are written, and those before one that cannot be printed are written too.
    """

    @property
    def begun(self) -> bool:
        """Whether any of it has been written."""

    @property
    def idle(self) -> float | None:
        """Seconds of silence after which `write` is called without messages; None for never."""

    @property
    def pack(self) -> Pack | None:
        """Serializes a response as soon as the servicer sends it; None if the face exchanges bytes."""

    @property
    def print_all(self) -> Callable[[list[bytes]], Printed] | None:
        """Brings packed messages into the form that is written; None if they have it."""

    async def begin(self) -> bool:
        """Writes the head; returns False if the head is the whole response."""

    async def write(self, messages: list[bytes], plain: set[int]) -> None:
        """Writes the next printed messages. `plain` has the numbers, from 0, of those that must not be compressed."""

    async def end(self) -> None:
        """Writes the end of a stream that succeeded."""


class Adapter(Protocol):
    """One call, as its face reads and answers it."""

    @property
    def origin(self) -> Origin:
        """Where the call comes from."""

    @property
    def path(self) -> str:
        """`/{package.Service}/{Method}`."""

    @property
    def method(self) -> Method | None:
        """The method whose messages are exchanged as objects; None if the face exchanges bytes."""

    @property
    def http_status(self) -> int:
        """The status of the HTTP response, or 0 if there is none or it has no meaning."""

    @property
    def fault(self) -> Status | None:
        """The status for a client that broke the protocol but can still be answered; None if it has left."""

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        """Returns the metadata and the seconds the call may take, at most `most`. Raises `StatusError`."""

    def streamed(self, call: AnyCall) -> Writer:
        """Returns the writer of a streamed answer. Raises `StatusError` if the client accepts no stream."""

    async def source(self, call: AnyCall) -> Source | None:
        """Returns the stream of requests, or None if the method takes a single one. Raises `StatusError`."""

    async def read(self, call: AnyCall) -> Any:
        """Returns the one request. Raises `StatusError`, `ClientGone` or `Disconnected`."""

    def empty(self) -> Any:
        """Returns the request given to a handler that reads none."""

    def gone(self) -> Awaitable[None]:
        """Returns when the client has left."""

    async def unary(self, call: AnyCall, response: Any) -> None:
        """Writes the whole response of one message."""

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        """Writes the end of a call that failed, before or after the first byte; `call` is None if it was not opened."""

    def close(self) -> None:
        """Stops reading the request."""


class WholeAdapter(Protocol):
    """One unary call whose request has arrived whole, as its face reads and answers it.

    Its members are those of `Adapter`; `request` is its `read`, and `answer` its `unary`, which returns what is left to
    do if a large answer is compressed.
    """

    origin: Origin
    path: str
    http_status: int

    @property
    def method(self) -> Method | None: ...

    @property
    def fault(self) -> Status | None: ...

    def opening(self, most: float | None) -> tuple[AnyMetadata, float | None]: ...

    def request(self, call: AnyCall) -> Any: ...

    def empty(self) -> Any: ...

    def gone(self) -> Awaitable[None]: ...

    def answer(self, call: AnyCall, response: Any) -> Awaitable[None] | None: ...

    def fail(self, status: Status, call: AnyCall | None) -> None: ...


class Session:
    """Runs the calls of every face of one gateway."""

    def __init__(self, calls: Calls, settings: Settings) -> None:
        self.calls = calls
        self.stopping = False
        """True once a stop cancels running calls; each is then answered UNAVAILABLE."""
        self.timeouts = BodyTimeouts(
            seconds=settings.body_seconds, pace=settings.body_bytes_per_second, whole=settings.body_max_seconds
        )
        self._max_seconds = settings.max_deadline_seconds

    async def serve(self, adapter: Adapter) -> None:
        """Runs one call from its first byte to its last."""
        origin = adapter.origin
        record = self.calls.recorder.begin(adapter.path, origin)
        call: AnyCall | None = None
        try:
            try:
                call = await self._open(adapter, origin)
                if call.streams:
                    await self._stream(adapter, call)
                else:
                    response = await call.unary(await _read(adapter, call), adapter.gone)
                    call.record.code = 0
                    await adapter.unary(call, response)
            finally:
                adapter.close()
        except BaseException as wrong:
            status = self._blame(wrong, adapter)
            if status is not None:
                record.code = status.number
                await adapter.fail(status, call)
        finally:
            record.http_status = adapter.http_status
            origin.over()

    async def serve_whole(self, adapter: WholeAdapter) -> None:
        """Runs one unary call whose request has arrived whole, in a task that is cancelled if the client leaves."""
        origin, calls = adapter.origin, self.calls
        record = calls.recorder.begin(adapter.path, origin)
        call: AnyCall | None = None
        try:
            metadata, seconds = adapter.opening(self._max_seconds)
            method = adapter.method
            if calls.plain and method is not None:
                call = calls.open_plain(method, metadata, origin, seconds)
                response = await call.unary(adapter.request(call), None)
            elif calls.plain:
                call = calls.open_plain_wire(adapter.path, metadata, origin, seconds)
                request = adapter.request(call) if call.needs_request else adapter.empty()
                response = await call.unary(request, None)
            else:
                call = await self._intercepted(adapter, read(metadata), seconds)
                request = adapter.request(call) if call.needs_request else adapter.empty()
                argument = One(request) if call.takes_stream else request
                if call.streams:
                    response = await _only(call, argument, adapter)
                else:
                    response = await call.unary(argument, None)
            record.code = 0
            later = adapter.answer(call, response)
            if later is not None:
                await later
        except BaseException as wrong:
            status = self._blame(wrong, adapter)
            if status is not None:
                record.code = status.number
                adapter.fail(status, call)
        finally:
            record.http_status = adapter.http_status
            origin.over()

    async def _open(self, adapter: Adapter, origin: Origin) -> AnyCall:
        metadata, seconds = await adapter.opening(self._max_seconds)
        calls, method = self.calls, adapter.method
        if method is not None and calls.plain:
            return calls.open_plain(method, metadata, origin, seconds)
        return await self._intercepted(adapter, metadata, seconds)

    def _intercepted(
        self, adapter: Adapter | WholeAdapter, metadata: Metadata, seconds: float | None
    ) -> Awaitable[AnyCall]:
        method, origin = adapter.method, adapter.origin
        if method is None:
            return self.calls.open_wire(adapter.path, metadata, origin, seconds)
        return self.calls.open(method, metadata, origin, seconds)

    async def _stream(self, adapter: Adapter, call: AnyCall) -> None:
        writer = adapter.streamed(call)  # before the request is read: a client that accepts no stream costs no body
        stream = call.stream(await _read(adapter, call), writer.pack)
        print_all = writer.print_all
        gone = asyncio.ensure_future(adapter.gone())
        try:
            while True:
                messages = await stream.next(gone, writer.idle)
                failure: Exception | None = None
                if messages and print_all is not None:
                    messages, failure = print_all(messages)
                    if failure is not None and not messages:
                        raise failure
                if not writer.begun:
                    if messages == [] and not call.context.initial_metadata_sent:
                        continue
                    if not await writer.begin():
                        call.record.code = 0
                        return
                if messages is None:
                    call.record.code = 0
                    await writer.end()
                    return
                await writer.write(messages, stream.uncompressed)
                if failure is not None:
                    raise failure
        finally:
            gone.cancel()
            stream.close()

    def _blame(self, wrong: BaseException, adapter: Adapter | WholeAdapter) -> Status | None:
        """Returns the status to send for an exception, None if it has left; re-raises other `BaseException`s."""
        if isinstance(wrong, ClientGone | Disconnected):
            return adapter.fault
        if isinstance(wrong, StatusError):
            return wrong.status
        if isinstance(wrong, asyncio.CancelledError) and self.stopping:
            return STOPPING
        if not isinstance(wrong, Exception):
            raise wrong
        return self.calls.guard.status(wrong, adapter.path)

    def unmatched(self, scope: Scope, protocol: ProtocolName, status: int) -> None:
        """Counts and logs a request that matched no method; `status` is the HTTP status of its response."""
        peer = origin_of(scope, protocol).peer
        verb = scope.get("method", "GET")  # a WebSocket's handshake is a GET (RFC 6455 section 4.1)
        self.calls.recorder.unmatched(Unmatched(protocol, verb, raw_path(scope), status, peer))


def _read(adapter: Adapter, call: AnyCall) -> Awaitable[Any]:
    return _given(adapter, call) if call.deadline is None else _given_in_time(adapter, call, call.deadline)


async def _given_in_time(adapter: Adapter, call: AnyCall, deadline: float) -> Any:
    async with before(deadline):
        return await _given(adapter, call)


async def _given(adapter: Adapter, call: AnyCall) -> Any:
    """Returns the argument of the handler: one message, or a `Source` of them."""
    source = await adapter.source(call)
    if source is None:
        request = await adapter.read(call) if call.needs_request else adapter.empty()
        return One(request) if call.takes_stream else request
    if call.takes_stream:
        return source
    if not call.needs_request:
        return adapter.empty()
    try:
        return (
            await source.__anext__()
        )  # an interceptor may replace a client-streaming handler by one that takes a single message
    except StopAsyncIteration:
        return adapter.empty()


async def _only(call: AnyCall, argument: Any, adapter: WholeAdapter) -> Any:
    """Returns the one message of a stream, which only an interceptor can have put in the place of a unary method."""
    method = adapter.method
    stream = call.stream(argument, None if method is None else method.response.SerializeToString)
    gone = asyncio.ensure_future(adapter.gone())
    found: list[bytes] = []
    try:
        while (messages := await stream.next(gone)) is not None:
            found += messages
            if len(found) > 1:
                raise error(Code.INTERNAL, "expected one response message, got a stream")
    finally:
        gone.cancel()
        stream.close()
    if not found:
        raise error(Code.INTERNAL, "expected one response message, got none")
    return found[0] if method is None else method.response.FromString(found[0])
