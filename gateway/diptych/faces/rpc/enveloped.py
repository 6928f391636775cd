"""One call of a protocol that puts messages in envelopes: gRPC, gRPC-Web, and Connect's streams.

It knows no protocol: a `Wire` reads the headers and writes the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from ...call import UNKNOWN_METHOD, AnyCall, ClientGone, Gone, One, before
from ...exchange import BodyPatience, Disconnected, Exchange, Inbound
from ...status import Code, error
from ...telemetry import Record
from .desk import Desk, nothing
from .entries import Entry
from .kinds import Kind, Protocol
from .requests import Enveloped, Opening, one
from .wires import Wire

__all__ = ["serve"]

_MOMENT_SECONDS = 0.05


async def serve(desk: Desk, exchange: Exchange, entry: Entry, kind: Kind, wire: Wire) -> None:
    """Answer one call; what breaks becomes its status."""
    call: AnyCall | None = None
    first = None
    origin = desk.arrive(kind.protocol, entry, exchange.scope)
    record: Record = origin.record
    if kind.protocol is Protocol.GRPC and (entry.client_streaming or not entry.known):
        first = _First(exchange)
    try:
        seconds = wire.seconds(desk.max_seconds)
        coding = wire.request_coding()
        call = await desk.open(kind.protocol, entry, exchange.scope, origin, seconds, json=kind.json)
        read = _parser(entry, record) if kind.json else None
        answering = _Answering(call, wire, entry, kind, desk.patience)
        await answering.run(exchange, Opening(coding, entry.limit, wire.fault, read))
    except (ClientGone, Disconnected):
        return  # nobody is left to answer
    except BaseException as wrong:
        status = desk.blame(wrong, exchange.scope)
        record.code = status.number
        if first is not None and not wire.begun:
            await first.wait()
        await wire.fail(status, call, origin.initial)
    finally:
        origin.over()


class _First:
    """Notices whether the client of a stream has sent anything yet.

    grpcio's client takes a stream that is refused while it sends its first message for a fault of its own (INTERNAL),
    and loses the status it was given; so a refusal waits for that message, which is there a moment later.
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
        """Until something came, or a moment has passed: some clients wait for an answer before they send."""
        if not self._came:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_MOMENT_SECONDS):
                    await self._receive()


def _parser(entry: Entry, record: Record) -> Callable[[bytes], Any]:
    if entry.json is None:  # nobody serves it, or nobody knows its messages
        raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
    decode = entry.json.decode

    def read(data: bytes) -> Any:
        record.bytes_in += len(data)
        return decode(data, [])

    return read


class _Answering:
    """A call that was opened, and the wire it is answered on."""

    __slots__ = ("_call", "_entry", "_kind", "_patience", "_wire")

    def __init__(self, call: AnyCall, wire: Wire, entry: Entry, kind: Kind, patience: BodyPatience) -> None:
        self._call, self._wire, self._entry, self._kind, self._patience = call, wire, entry, kind, patience

    async def run(self, exchange: Exchange, opening: Opening) -> None:
        """Read the request, or the stream of them, and answer. Raises `StatusError` and whatever else breaks."""
        call, wire, entry = self._call, self._wire, self._entry
        # What stands in no table says of itself what it takes.
        if entry.client_streaming or (not entry.known and call.takes_stream):
            async with Inbound(exchange.receive) as inbound:
                source = Enveloped(inbound, opening, wire.quanta())
                await self._answer(source if call.takes_stream else await self._first(source), inbound.gone)
            return
        opening.lease = call.lease
        if entry.known and not call.needs_request:  # a generic handler without a parser takes plain bytes
            request = nothing(entry, json=self._kind.json)
        elif call.deadline is None:
            request = await one(exchange.receive, opening, wire.quanta(), self._patience)
        else:
            async with before(call.deadline):
                request = await one(exchange.receive, opening, wire.quanta(), self._patience)
        await self._answer(One(request) if call.takes_stream else request, exchange.gone)

    async def _first(self, source: Enveloped) -> Any:
        """The one request that an interceptor's own handler looks at, where the method's would have taken a stream."""
        if not self._call.needs_request:
            return nothing(self._entry, json=self._kind.json)
        try:
            return await source.__anext__()
        except StopAsyncIteration:
            return nothing(self._entry, json=self._kind.json)

    async def _answer(self, given: Any, left: Gone) -> None:
        if self._call.streams:
            await self._stream(given, left)
            return
        message = await self._call.unary(given, left)
        await self._wire.unary(self._call, self._shown(message))

    def _shown(self, message: Any) -> bytes:
        json = self._entry.json
        if not self._kind.json or json is None:
            plain: bytes = message
            return plain
        shown = json.encode(message)
        self._call.record.bytes_out += len(shown)
        return shown

    async def _stream(self, given: Any, left: Gone) -> None:
        call, wire = self._call, self._wire
        stream = call.stream(given)
        gone = asyncio.ensure_future(left())
        written = 0
        try:
            while (messages := await stream.next(gone)) is not None:
                if not wire.begun and (messages or call.context.initial_metadata_sent):
                    await wire.begin(call)
                if messages:
                    data = messages if not self._kind.json else [self._shown(message) for message in messages]
                    await wire.messages(data, written, stream.uncompressed)
                    stream.uncompressed.difference_update(range(written, written + len(messages)))
                    written += len(messages)
            if not wire.begun:
                await wire.begin(call)
            await wire.end(call)
        finally:
            gone.cancel()
            stream.close()
