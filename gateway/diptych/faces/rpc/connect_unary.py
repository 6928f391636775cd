"""Connect's unary calls: plain HTTP with the message as body, and errors as a JSON object.

It knows no envelope.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, NoReturn

import grpc

from ...call import UNKNOWN_METHOD, AnyCall
from ...exchange import Exchange, origin_of, read
from ...metadata import HeaderPolicy, Metadata, from_headers
from ...methods import Method
from ...reply import UNKNOWN_FIELDS, Headers, Reply, header_list
from ...status import Code, Status, error
from ..session import Session
from .coding import COMPRESSIONS, accepts, coding_named
from .connect_errors import TRAILER, ConnectErrors
from .connect_get import QueryRequest, asked
from .connect_stream import CODINGS, WORTH_BYTES, check_version, seconds
from .entries import Entry, JsonCodec
from .kinds import NAMES, Kind, WireProtocol
from .wires import rpc_headers

__all__ = ["ConnectCall"]

_MEDIA = {True: b"application/json", False: b"application/proto"}


class ConnectCall:
    """A request for `entry`: a POST of content type `kind`, or a GET if that is None."""

    # Defaults are class attributes, since an instance is created for every call and few calls change them.
    fault: Status | None = None
    method: Method | None = None
    _asked: QueryRequest | None = None
    _json: JsonCodec | None = None
    _is_json = False

    def __init__(
        self,
        exchange: Exchange,
        entry: Entry,
        kind: Kind | None,
        errors: ConnectErrors,
        policy: HeaderPolicy,
        session: Session,
    ) -> None:
        self._exchange, self._entry, self._kind, self._errors = exchange, entry, kind, errors
        self._policy, self._session = policy, session
        self.origin = origin_of(exchange.scope, NAMES[WireProtocol.CONNECT])
        self.path = entry.path

    @property
    def http_status(self) -> int:
        return self._exchange.status

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        exchange, entry = self._exchange, self._entry
        check_version(exchange.headers)
        if self._kind is None:
            self._asked = asked(exchange.scope["query_string"], entry.limit)
            self._is_json = self._asked.json
        else:
            self._is_json = self._kind.json
        if self._is_json and entry.json is not None:
            self._json, self.method = entry.json, entry.json.method
        allowed = seconds(exchange.headers, most)
        return from_headers(exchange.scope["headers"], self._policy), allowed

    async def source(self, call: AnyCall) -> None:
        self._check(call)

    def _check(self, call: AnyCall) -> None:
        if self._is_json and self._json is None:
            raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
        if not self._entry.known and (call.takes_stream or call.streams):
            raise error(
                Code.UNIMPLEMENTED,
                "streaming method; expected content type application/connect+proto or application/connect+json",
            )

    async def read(self, call: AnyCall) -> Any:
        data = await self._body(call) if self._asked is None else self._asked.message
        if self._json is None:
            return data
        call.record.bytes_in += len(data)
        return self._json.decode(data, self._exchange.warnings)

    async def _body(self, call: AnyCall) -> bytes:
        exchange, headers = self._exchange, self._exchange.headers
        coding_named(headers.get(b"content-encoding"), CODINGS, "accept-encoding")
        return await read(exchange.receive, headers, self._entry.limit, self._session.timeouts, call.lease)

    def empty(self) -> Any:
        return b"" if self.method is None else self.method.request()

    def gone(self) -> Awaitable[None]:
        return self._exchange.gone()

    def streamed(self, call: AnyCall) -> NoReturn:
        self._check(call)
        # Only an interceptor can have put a stream in the place of a unary method.
        raise error(Code.INTERNAL, "expected one response message, got a stream")

    async def unary(self, call: AnyCall, response: Any) -> None:
        if self._json is not None:
            response = self._json.encode(response)
            call.record.bytes_out += len(response)
        await self._exchange.reply(self._reply(call, response))

    def _reply(self, call: AnyCall, body: bytes) -> Reply:
        exchange = self._exchange
        headers: Headers = [(b"content-type", _MEDIA[self._is_json])]
        if len(body) >= WORTH_BYTES and not _plain(call):
            headers.append((b"vary", b"accept-encoding"))
            gzip = COMPRESSIONS[grpc.Compression.Gzip]
            if accepts(exchange.header(b"accept-encoding"), gzip.name):
                body = gzip.compress(body)
                headers.append((b"content-encoding", gzip.name))
        headers.append((b"content-length", b"%d" % len(body)))
        headers += rpc_headers(call.initial_metadata)
        headers += rpc_headers(call.trailing_metadata, TRAILER)
        if exchange.warnings:
            headers.append((UNKNOWN_FIELDS, header_list(exchange.warnings)))
        return Reply(200, headers, body)

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        if not self._entry.known and status.code is Code.UNIMPLEMENTED:
            status = replace(status, http=404)  # an unknown path of HTTP
        metadata: Any = (self.origin.initial,) if call is None else (call.initial_metadata, call.trailing_metadata)
        await self._exchange.reply(self._errors.reply(status, *metadata))

    def close(self) -> None:
        """Nothing to stop: the body is read whole."""


def _plain(call: AnyCall) -> bool:
    """Whether the servicer disabled compression, as it must for secrets next to input of the client (BREACH)."""
    return call.context.uncompressed_next or call.context.compression is grpc.Compression.NoCompression
