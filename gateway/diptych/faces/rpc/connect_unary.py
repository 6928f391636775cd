"""Connect's unary calls: plain HTTP with the message as body, and errors as a JSON object.

`ConnectCall` reads and writes over ASGI, `WholeConnectCall` has a request that arrived whole. They know no envelope.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from ...call import UNKNOWN_METHOD, AnyCall
from ...compression import ANSWERS, Coding, preferred
from ...exchange import LARGE_BYTES, Exchange, WholeRequest, aside, counted, joined, origin_of, read, read_whole
from ...metadata import AnyMetadata, HeaderPolicy, Metadata, RawHeaders, from_headers
from ...methods import Method
from ...origin import Origin
from ...reply import UNKNOWN_FIELDS, Headers, Reply, header_list
from ...status import Code, Status, error
from ..session import Session
from .coding import CONNECT, coding_named
from .connect_errors import TRAILER, ConnectErrors
from .connect_get import QueryRequest, asked
from .connect_stream import TIMEOUT, VERSION, check_version, seconds
from .entries import Entry, JsonCodec
from .kinds import Kind
from .wires import rpc_headers

__all__ = ["ConnectCall", "WholeConnectCall"]

_MEDIA = {True: b"application/json", False: b"application/proto"}


class _Steps:
    """What both kinds of calls do. `_kind` is None for a GET."""

    # Defaults are class attributes, since an instance is created for every call and few calls change them.
    fault: Status | None = None
    method: Method | None = None
    origin: Origin
    _entry: Entry
    _kind: Kind | None
    _errors: ConnectErrors
    _policy: HeaderPolicy
    _asked: QueryRequest | None = None
    _json: JsonCodec | None = None
    _is_json = False

    def _opening(self, fields: Mapping[bytes, bytes], query: bytes, most: float | None) -> float | None:
        entry = self._entry
        if VERSION in fields:
            check_version(fields[VERSION])
        if self._kind is None:
            self._asked = asked(query)
            self._is_json = self._asked.json
        else:
            self._is_json = self._kind.json
        if self._is_json and entry.json is not None:
            self._json, self.method = entry.json, entry.json.method
        return seconds(fields, most) if TIMEOUT in fields else most

    def _decoded(self, call: AnyCall, data: bytes, warnings: list[str]) -> Any:
        if self._json is None:
            return data
        call.record.bytes_in += len(data)
        return self._json.decode(data, warnings)

    def empty(self) -> Any:
        return b"" if self.method is None else self.method.request()

    def _printed(self, call: AnyCall, response: Any, request: RawHeaders) -> tuple[bytes, Headers, Coding | None]:
        """Returns the body, its headers, and the coding in which it is to be sent."""
        body: bytes = response
        coding: Coding | None = None
        if self._json is not None:
            body = self._json.encode(response)
            call.record.bytes_out += len(body)
        headers: Headers = [(b"content-type", _MEDIA[self._is_json])]
        if len(body) >= self._entry.compress_from and not call.context.keeps_plain:
            headers.append((b"vary", b"accept-encoding"))
            coding = preferred(joined(request, b"accept-encoding"), ANSWERS)
            if coding is not None:
                headers.append((b"content-encoding", coding.name))
        return body, headers, coding

    def _reply(self, call: AnyCall, body: bytes, headers: Headers, warnings: list[str]) -> Reply:
        headers.append((b"content-length", b"%d" % len(body)))
        if initial := call.initial_metadata:
            headers += rpc_headers(initial)
        if trailing := call.trailing_metadata:
            headers += rpc_headers(trailing, TRAILER)
        if warnings:
            headers.append((UNKNOWN_FIELDS, header_list(warnings)))
        return Reply(200, headers, body)

    def _failure(self, status: Status, call: AnyCall | None) -> Reply:
        if not self._entry.known and status.code is Code.UNIMPLEMENTED:
            status = replace(status, http=404)  # an unknown path of HTTP
        metadata: Any = (self.origin.initial,) if call is None else (call.initial_metadata, call.trailing_metadata)
        return self._errors.reply(status, *metadata)


class WholeConnectCall(_Steps):
    """A unary call whose request has arrived whole; if it is JSON, the method has a descriptor."""

    http_status = 0

    def __init__(
        self, request: WholeRequest, entry: Entry, kind: Kind | None, errors: ConnectErrors, policy: HeaderPolicy
    ) -> None:
        self._request, self._entry, self._kind, self._errors = request, entry, kind, errors
        self._policy = policy
        client = request.client
        self.origin = Origin("connect", client.peer, client.auth)
        self.path = entry.path
        self._warnings: list[str] = []

    def opening(self, most: float | None) -> tuple[AnyMetadata, float | None]:
        request = self._request
        fields = request.fields
        limit = self._opening(fields, request.query, most)
        return self.metadata() if self._policy.may_refuse(fields) else self, limit

    def metadata(self) -> Metadata:
        return from_headers(self._request.headers, self._policy)

    def request(self, call: AnyCall) -> Any:
        if self._asked is not None:
            return self._decoded(call, self._asked.message(self._entry.limit), self._warnings)
        request = self._request
        fields, limit = request.fields, self._entry.limit
        if b"content-encoding" not in fields:
            return self._decoded(call, counted(request.body, limit, call.lease), self._warnings)
        coding_named(fields[b"content-encoding"], CONNECT, "accept-encoding")
        return self._decoded(call, read_whole(request.body, fields, limit, call.lease, CONNECT), self._warnings)

    def gone(self) -> Awaitable[None]:
        return self._request.gone()

    def answer(self, call: AnyCall, response: Any) -> Awaitable[None] | None:
        body, headers, coding = self._printed(call, response, self._request.headers)
        if coding is not None:
            if len(body) >= LARGE_BYTES:
                return self._answer_compressed(call, body, headers, coding)
            body = coding.compress(body)
        self._answer(self._reply(call, body, headers, self._warnings))
        return None

    async def _answer_compressed(self, call: AnyCall, body: bytes, headers: Headers, coding: Coding) -> None:
        body = await aside(len(body), coding.compress, body)
        self._answer(self._reply(call, body, headers, self._warnings))

    def fail(self, status: Status, call: AnyCall | None) -> None:
        if not self._request.begun:
            self._answer(self._failure(status, call))

    def _answer(self, reply: Reply) -> None:
        self.http_status = reply.status
        self._request.answer(reply)


class ConnectCall(_Steps):
    """A request for `entry` over ASGI: a POST of content type `kind`, or a GET if that is None."""

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
        self.origin = origin_of(exchange.scope, "connect")
        self.path = entry.path

    @property
    def http_status(self) -> int:
        return self._exchange.status

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        scope = self._exchange.scope
        limit = self._opening(self._exchange.headers, scope["query_string"], most)
        return from_headers(scope["headers"], self._policy), limit

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
        data = await self._body(call) if self._asked is None else self._asked.message(self._entry.limit)
        return await aside(len(data), self._decoded, call, data, self._exchange.warnings)

    async def _body(self, call: AnyCall) -> bytes:
        exchange, headers = self._exchange, self._exchange.headers
        coding_named(headers.get(b"content-encoding"), CONNECT, "accept-encoding")
        return await read(exchange.receive, headers, self._entry.limit, self._session.timeouts, call.lease, CONNECT)

    def gone(self) -> Awaitable[None]:
        return self._exchange.gone()

    def streamed(self, call: AnyCall) -> NoReturn:
        self._check(call)
        # Only an interceptor can have put a stream in the place of a unary method.
        raise error(Code.INTERNAL, "expected one response message, got a stream")

    async def unary(self, call: AnyCall, response: Any) -> None:
        exchange = self._exchange
        body, headers, coding = self._printed(call, response, exchange.scope["headers"])
        if coding is not None:
            body = await aside(len(body), coding.compress, body)
        await exchange.reply(self._reply(call, body, headers, exchange.warnings))

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        await self._exchange.reply(self._failure(status, call))

    def close(self) -> None:
        """Nothing to stop: the body is read whole."""
