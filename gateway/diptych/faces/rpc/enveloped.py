"""One call of a protocol that puts messages in envelopes: gRPC, gRPC-Web, and Connect's streams.

It knows no protocol: a `Wire` reads the headers and writes the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from ...call import UNKNOWN_METHOD, AnyCall, Pack, Source
from ...exchange import Exchange, Inbound, origin_of
from ...metadata import HeaderPolicy, Metadata, from_headers
from ...methods import Method
from ...status import Code, Status, error
from ...telemetry import Record
from ..session import Session
from .coding import Coding
from .entries import Entry, JsonCodec
from .kinds import NAMES, Kind, WireProtocol
from .requests import EnvelopeReader, EnvelopeSource, read_one
from .wires import Wire

__all__ = ["EnvelopedCall"]

_MOMENT_SECONDS = 0.05


class EnvelopedCall:
    """A request for `entry`, whose response is written to `wire`."""

    # Defaults are class attributes, since an instance is created for every call and few calls change them.
    fault: Status | None = None
    http_status = 0  # it carries no meaning: always 200
    method: Method | None = None
    _json: JsonCodec | None = None
    _inbound: Inbound | None = None
    _first: _First | None = None
    _coding: Coding | None = None

    def __init__(
        self, exchange: Exchange, entry: Entry, kind: Kind, wire: Wire, policy: HeaderPolicy, session: Session
    ) -> None:
        self._exchange, self._entry, self._kind, self._wire = exchange, entry, kind, wire
        self._policy, self._session = policy, session
        self.origin = origin_of(exchange.scope, NAMES[kind.protocol])
        self.path = entry.path
        if kind.json and entry.json is not None:
            self._json, self.method = entry.json, entry.json.method
        if kind.protocol is WireProtocol.GRPC and (entry.client_streaming or not entry.known):
            self._first = _First(exchange)

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        seconds = self._wire.seconds(most)
        self._coding = self._wire.request_coding()
        return from_headers(self._exchange.scope["headers"], self._policy), seconds

    async def source(self, call: AnyCall) -> Source | None:
        entry, wire = self._entry, self._wire
        read = self._parser(call.record) if self._kind.json else None
        reader = self._reader = EnvelopeReader(self._coding, entry.limit, wire.fault, read)
        # For an unregistered path, only the handler shows whether it streams; it is found when the call opens.
        if entry.client_streaming or (not entry.known and call.takes_stream):
            self._inbound = self._exchange.inbound()
            return EnvelopeSource(self._inbound, reader, wire.decoder())
        reader.lease = call.lease
        return None

    def _parser(self, record: Record) -> Callable[[bytes], Any]:
        if self._json is None:  # an unknown method, or one whose messages have no descriptor
            raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
        decode = self._json.decode

        def read(data: bytes) -> Any:
            record.bytes_in += len(data)
            return decode(data, [])

        return read

    async def read(self, call: AnyCall) -> Any:
        return await read_one(self._exchange.receive, self._reader, self._wire.decoder(), self._session.timeouts)

    def empty(self) -> Any:
        return b"" if self.method is None else self.method.request()

    def gone(self) -> Awaitable[None]:
        return (self._inbound or self._exchange).gone()

    async def unary(self, call: AnyCall, response: Any) -> None:
        await self._wire.unary(call, response if self._json is None else _printed(self._json, response, call))

    def streamed(self, call: AnyCall) -> _Writer:
        return _Writer(call, self._wire, self._json)

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        if self._first is not None and not self._wire.begun:
            await self._first.wait()
        await self._wire.fail(status, call, self.origin.initial)

    def close(self) -> None:
        if self._inbound is not None:
            self._inbound.close()


class _Writer:
    """Writes a streamed answer; `json` is None if its messages are serialized already."""

    idle: float | None = None

    def __init__(self, call: AnyCall, wire: Wire, json: JsonCodec | None) -> None:
        self._call, self._wire, self._json = call, wire, json
        self._written = 0

    @property
    def begun(self) -> bool:
        return self._wire.begun

    @property
    def pack(self) -> Pack | None:
        return None if self._json is None else self._json.stream.pack

    async def begin(self) -> bool:
        await self._wire.begin(self._call)
        return True

    async def write(self, messages: list[bytes], plain: set[int]) -> None:
        if not messages:
            return  # the servicer sent initial metadata before any message
        if self._json is not None:
            messages = self._json.stream.print_all(messages)
            self._call.record.bytes_out += sum(map(len, messages))
        await self._wire.messages(messages, self._written, plain)
        if plain:
            plain.difference_update(range(self._written, self._written + len(messages)))
        self._written += len(messages)

    async def end(self) -> None:
        await self._wire.end(self._call)


def _printed(json: JsonCodec, message: Any, call: AnyCall) -> bytes:
    printed = json.encode(message)
    call.record.bytes_out += len(printed)
    return printed


class _First:
    """Notices whether the client of a stream has sent anything yet.

    grpcio's client reports INTERNAL, instead of the status it received, for a stream that fails while it sends its
    first message. A failure therefore waits for that message, for at most `_MOMENT_SECONDS`.
    """

    __slots__ = ("_came", "_receive")

    def __init__(self, exchange: Exchange) -> None:
        self._receive, self._came = exchange.receive, False
        exchange.receive = self._watched

    async def _watched(self) -> Any:
        message = await self._receive()
        self._came = True
        return message

    async def wait(self) -> None:
        """Returns once something arrived or the time is up: some clients wait for an answer before they send."""
        if not self._came:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_MOMENT_SECONDS):
                    await self._receive()
