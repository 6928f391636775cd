"""Connect's unary calls: plain HTTP, the message itself for a body, the error a JSON object.

It knows no envelope.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc

from ...call import UNKNOWN_METHOD, AnyCall, ClientGone, One, before
from ...exchange import Disconnected, Exchange, read
from ...origin import Origin
from ...reply import UNKNOWN_FIELDS, Headers, Reply, header_list
from ...status import Code, Status, error
from ...telemetry import Record
from .coding import COMPRESSIONS, accepts, coding_named
from .connect_errors import TRAILER, ConnectErrors
from .connect_get import Asked, asked
from .connect_stream import CODINGS, WORTH_BYTES, check_version, seconds
from .desk import Desk, nothing
from .entries import Entry
from .kinds import Kind, Protocol
from .wires import rpc_headers

__all__ = ["ConnectUnary"]

_MEDIA = {True: b"application/json", False: b"application/proto"}


class _Answer(NamedTuple):
    """A message as it goes out, and whether it may be compressed."""

    body: bytes
    json: bool
    warnings: list[str]


class ConnectUnary:
    """Answers unary calls."""

    def __init__(self, desk: Desk, errors: ConnectErrors) -> None:
        self._desk, self._errors = desk, errors

    async def serve(self, exchange: Exchange, entry: Entry, kind: Kind | None) -> None:
        """Answer one call, by POST in the form that `kind` says, or by GET where it is None."""
        origin = self._desk.arrive(Protocol.CONNECT, entry, exchange.scope)
        record: Record = origin.record
        try:
            reply = await self._answer(exchange, entry, kind, origin)
            record.http_status = reply.status
            await exchange.reply(reply)
        except (ClientGone, Disconnected):
            return  # nobody is left to answer
        finally:
            origin.over()

    async def _answer(self, exchange: Exchange, entry: Entry, kind: Kind | None, origin: Origin) -> Reply:
        call: AnyCall | None = None
        try:
            check_version(exchange.headers)
            query = asked(exchange.scope["query_string"], entry.limit) if kind is None else None
            json = query.json if query is not None else kind is not None and kind.json
            call = await self._open(exchange, entry, origin, json=json)
            answer = await self._call(exchange, entry, call, query, json=json)
            return self._reply(exchange, call, answer)
        except (ClientGone, Disconnected):
            raise
        except BaseException as wrong:
            status = self._missing(entry, self._desk.blame(wrong, exchange.scope))
            origin.record.code = status.number
            if call is None:
                return self._errors.reply(status, origin.initial)
            return self._errors.reply(status, call.initial_metadata, call.trailing_metadata)

    def _missing(self, entry: Entry, status: Status) -> Status:
        """404 where there is no such method: to HTTP it is a path like any other."""
        if entry.known or status.code is not Code.UNIMPLEMENTED:
            return status
        return Status(code=status.code, message=status.message, details=status.details, http=404)

    async def _open(self, exchange: Exchange, entry: Entry, origin: Origin, *, json: bool) -> AnyCall:
        limit = seconds(exchange.headers, self._desk.max_seconds)
        call = await self._desk.open(Protocol.CONNECT, entry, exchange.scope, origin, limit, json=json)
        if json and entry.json is None:
            raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
        if not entry.known and (call.takes_stream or call.streams):
            raise error(Code.UNIMPLEMENTED, "the method streams: its content type is application/connect+proto")
        return call

    async def _call(
        self, exchange: Exchange, entry: Entry, call: AnyCall, query: Asked | None, *, json: bool
    ) -> _Answer:
        warnings: list[str] = []
        if not call.needs_request:
            request = nothing(entry, json=json)
        else:
            data = await self._body(exchange, entry, call) if query is None else query.message
            request = self._read(entry, call, data, warnings) if json else data
        given: Any = One(request) if call.takes_stream else request
        message = await self._one(exchange, call, given)
        if json and entry.json is not None:
            message = entry.json.encode(message)
            call.record.bytes_out += len(message)
        return _Answer(message, json, warnings)

    def _read(self, entry: Entry, call: AnyCall, data: bytes, warnings: list[str]) -> Any:
        call.record.bytes_in += len(data)
        return data if entry.json is None else entry.json.decode(data, warnings)

    async def _one(self, exchange: Exchange, call: AnyCall, given: Any) -> Any:
        if not call.streams:
            return await call.unary(given, exchange.gone)
        # Only an interceptor can have put a stream in the place of a unary method.
        raise error(Code.INTERNAL, "the answer is a stream where a unary call's has to be one message")

    async def _body(self, exchange: Exchange, entry: Entry, call: AnyCall) -> bytes:
        headers = exchange.headers
        coding_named(headers.get(b"content-encoding"), CODINGS, "accept-encoding")
        if call.deadline is None:
            return await read(exchange.receive, headers, entry.limit, self._desk.patience, call.lease)
        async with before(call.deadline):
            return await read(exchange.receive, headers, entry.limit, self._desk.patience, call.lease)

    def _reply(self, exchange: Exchange, call: AnyCall, answer: _Answer) -> Reply:
        body = answer.body
        headers: Headers = [(b"content-type", _MEDIA[answer.json])]
        if len(body) >= WORTH_BYTES and not _plain(call):
            headers.append((b"vary", b"accept-encoding"))
            gzip = COMPRESSIONS[grpc.Compression.Gzip]
            if accepts(exchange.header(b"accept-encoding"), gzip.name):
                body = gzip.compress(body)
                headers.append((b"content-encoding", gzip.name))
        headers.append((b"content-length", b"%d" % len(body)))
        headers += rpc_headers(call.initial_metadata)
        headers += rpc_headers(call.trailing_metadata, TRAILER)
        if answer.warnings:
            headers.append((UNKNOWN_FIELDS, header_list(answer.warnings)))
        return Reply(200, headers, body)


def _plain(call: AnyCall) -> bool:
    """Whether the servicer wants its answer as it is, as where a secret stands beside what the client said."""
    return call.context.uncompressed_next or call.context.compression is grpc.Compression.NoCompression
