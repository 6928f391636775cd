"""One call of a protocol that puts messages in envelopes: gRPC, gRPC-Web, and Connect's streams.

`EnvelopedCall` reads and writes piece by piece over ASGI, `WholeEnvelopedCall` has a request that arrived whole. They
know no protocol: a `Wire` reads the headers and writes the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from ...call import UNKNOWN_METHOD, AnyCall, Pack, Source
from ...codec import Printed
from ...compression import Coding
from ...exchange import Exchange, Inbound, MessageBounds, Send, WholeRequest, origin_of
from ...metadata import AnyMetadata, Metadata, RawHeaders, from_headers
from ...methods import Method
from ...origin import Origin
from ...status import Code, Status, error
from ...telemetry import Record
from ..session import Session
from .entries import Entry, JsonCodec
from .forms import Form
from .kinds import WireProtocol
from .requests import EnvelopeReader, EnvelopeSource, plain_message, read_one, read_whole
from .text import Base64Decoder
from .wire_writer import WireWriter
from .wires import Wire

__all__ = ["EnvelopedCall", "WholeEnvelopedCall"]

_MOMENT_SECONDS = 0.05


class _Steps:
    """What both kinds of calls do."""

    # Defaults are class attributes, since an instance is created for every call and few calls change them.
    fault: Status | None = None
    http_status = 0  # it carries no meaning: always 200
    method: Method | None = None
    origin: Origin
    _entry: Entry
    _form: Form
    _headers: RawHeaders
    _wire: Wire
    _json: JsonCodec | None = None
    _coding: Coding | None = None

    def _reader(self, record: Record) -> EnvelopeReader:
        read = self._parser(record) if self._form.kind.json else None
        return EnvelopeReader(self._coding, self._entry.limit, self._wire.fault, read)

    def _decoder(self) -> Base64Decoder | None:
        make = self._wire.decoder
        return None if make is None else make()

    def _parser(self, record: Record) -> Callable[[bytes], Any]:
        if self._json is None:  # an unknown method, or one whose messages have no descriptor
            raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
        decode = self._json.decode

        def read(data: bytes) -> Any:
            record.bytes_in += len(data)
            return decode(data, [])

        return read

    def empty(self) -> Any:
        return b"" if self.method is None else self.method.request()

    def _printed(self, call: AnyCall, response: Any) -> bytes:
        if self._json is None:
            serialized: bytes = response
            return serialized
        printed = self._json.encode(response)
        call.record.bytes_out += len(printed)
        return printed


class WholeEnvelopedCall(_Steps):
    """A unary call whose request has arrived whole."""

    def __init__(self, request: WholeRequest, entry: Entry, form: Form) -> None:
        self._request, self._entry, self._form = request, entry, form
        self._headers = request.headers
        self._wire = form.wire(request.fields)
        client = request.client
        self.origin = Origin(form.protocol, client.peer, client.auth)
        self.path = entry.path
        if form.kind.json and entry.json is not None:
            self._json, self.method = entry.json, entry.json.method

    def opening(self, most: float | None) -> tuple[AnyMetadata, float | None]:
        seconds, self._coding = self._wire.opening(most)
        return self.metadata() if self._form.policy.may_refuse(self._request.fields) else self, seconds

    def metadata(self) -> Metadata:
        return from_headers(self._headers, self._form.policy)

    def request(self, call: AnyCall) -> Any:
        body, lease = self._request.body, call.lease
        if self._json is None and self._wire.decoder is None:
            plain = plain_message(body, self._entry.limit)
            if plain is not None:
                if lease is not None:
                    lease.take(len(plain))
                return plain
        reader = self._reader(call.record)
        reader.lease = lease
        return read_whole(body, reader, self._decoder())

    def gone(self) -> Awaitable[None]:
        return self._request.gone()

    def answer(self, call: AnyCall, response: Any) -> None:
        message = response if self._json is None else self._printed(call, response)
        self._request.answer(*self._wire.unary(call, message))

    def fail(self, status: Status, call: AnyCall | None) -> None:
        if not self._request.begun:
            self._request.answer(*self._wire.failure(status, call, self.origin.initial))


class EnvelopedCall(_Steps):
    """A request for `entry` over ASGI, whose response is written in the form of `wire`."""

    _inbound: Inbound | None = None
    _first: _First | None = None

    def __init__(self, exchange: Exchange, entry: Entry, form: Form, session: Session, send: Send) -> None:
        self._exchange, self._entry, self._form, self._session = exchange, entry, form, session
        self._headers, self._wire = exchange.scope["headers"], form.wire(exchange.headers)
        self._writer = WireWriter(self._wire, send)
        self.origin = origin_of(exchange.scope, form.protocol)
        self.path = entry.path
        if form.kind.json and entry.json is not None:
            self._json, self.method = entry.json, entry.json.method
        if form.kind.protocol is WireProtocol.GRPC and (entry.client_streaming or not entry.known):
            self._first = _First(exchange)

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        seconds, self._coding = self._wire.opening(most)
        return from_headers(self._headers, self._form.policy), seconds

    async def source(self, call: AnyCall) -> Source | None:
        entry = self._entry
        reader = self._reading = self._reader(call.record)
        # For an unregistered path, only the handler shows whether it streams; it is found when the call opens.
        if entry.client_streaming or (not entry.known and call.takes_stream):
            self._inbound = self._exchange.inbound()
            bounds = reader.bounds = MessageBounds(self._session.timeouts, call.lease)
            return EnvelopeSource(self._inbound, reader, self._decoder(), bounds)
        reader.lease = call.lease
        return None

    async def read(self, call: AnyCall) -> Any:
        return await read_one(self._exchange.receive, self._reading, self._decoder(), self._session.timeouts)

    def gone(self) -> Awaitable[None]:
        return (self._inbound or self._exchange).gone()

    async def unary(self, call: AnyCall, response: Any) -> None:
        await self._writer.unary(call, self._printed(call, response))

    def streamed(self, call: AnyCall) -> _Writer:
        return _Writer(call, self._writer, self._json)

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        if self._first is not None and not self._writer.begun:
            await self._first.wait()
        await self._writer.fail(status, call, self.origin.initial)

    def close(self) -> None:
        if self._inbound is not None:
            self._inbound.close()


class _Writer:
    """Writes a streamed answer; `json` is None if its messages are serialized already."""

    idle: float | None = None

    def __init__(self, call: AnyCall, writer: WireWriter, json: JsonCodec | None) -> None:
        self._call, self._writer, self._json = call, writer, json
        self._written = 0

    @property
    def begun(self) -> bool:
        return self._writer.begun

    @property
    def pack(self) -> Pack | None:
        return None if self._json is None else self._json.stream.pack

    @property
    def print_all(self) -> Callable[[list[bytes]], Printed] | None:
        return None if self._json is None else self._json.stream.print_all

    async def begin(self) -> bool:
        await self._writer.begin(self._call)
        return True

    async def write(self, messages: list[bytes], plain: set[int]) -> None:
        if not messages:
            return  # the servicer sent initial metadata before any message
        if self._json is not None:
            self._call.record.bytes_out += sum(map(len, messages))
        await self._writer.messages(messages, self._written, plain)
        if plain:
            plain.difference_update(range(self._written, self._written + len(messages)))
        self._written += len(messages)

    async def end(self) -> None:
        await self._writer.end(self._call)


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
