"""One REST call: the request bound from path, query and body, and the answer as one response or as a stream.

`RestCall` reads and writes piece by piece over ASGI, `WholeRestCall` has a request that arrived whole. They know no
route table, and nothing of the call's life: the session reads and writes through them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeAlias

from google.protobuf.message import Message

from ...bind import ContentType
from ...call import AnyCall, Source
from ...codec import DEFAULT, Parameters
from ...compression import Coding
from ...exchange import (
    LARGE_BYTES,
    Exchange,
    Inbound,
    MessageBounds,
    WholeRequest,
    aside,
    coding_of,
    counted,
    joined,
    origin_of,
    read,
)
from ...framing import choose
from ...metadata import (
    SERVER_TIMEOUT_HEADER,
    TIMEOUT_HEADER,
    AnyMetadata,
    Metadata,
    RawHeaders,
    from_headers,
    timeout,
)
from ...methods import Method
from ...origin import Origin
from ...reply import Reply
from ...settings import NEVER
from ...status import Status
from ..session import Session
from . import ranges
from .compressed import coding_for, compressed
from .endpoint import Endpoint, Options
from .requests import Elements
from .streaming import Bytes, Messages, Streaming

Headers: TypeAlias = "Sequence[tuple[bytes, bytes]]"
Fields: TypeAlias = "Mapping[bytes, bytes]"

_NO_TYPE = ContentType("", "")


class _Steps:
    """What both kinds of calls do. `values` are those of the template's variables."""

    # Subclasses set in `__init__` what every call reads: CPython reads an attribute that its class has too slowly.
    fault: Status | None = None
    origin: Origin
    method: Method
    _endpoint: Endpoint
    _values: tuple[str, ...]
    _options: Options
    _parameters: Parameters

    def _seconds(self, fields: Fields, most: float | None) -> float | None:
        if TIMEOUT_HEADER in fields or SERVER_TIMEOUT_HEADER in fields:
            return timeout(fields.get(TIMEOUT_HEADER), fields.get(SERVER_TIMEOUT_HEADER), most)
        return most

    def _bind(self, query: bytes, body: bytes, content_type: ContentType, warnings: list[str]) -> Message:
        request, self._parameters = self._endpoint.binder.bind(self._values, query, body, content_type, warnings)
        return request

    def _reply(
        self, call: AnyCall, response: Message, verb: str, fields: Fields, headers: RawHeaders, warnings: list[str]
    ) -> tuple[Reply, Coding | None]:
        """Returns the reply, and the coding in which it is to be sent."""
        replier = self._endpoint.replier
        reply = replier.unary(response, self._parameters, call.initial_metadata, call.trailing_metadata, warnings)
        if replier.raw is not None and verb in ("GET", "HEAD"):
            reply = ranges.applied(reply, fields)
        size = len(reply.body)
        call.record.bytes_out += size
        if size >= self._endpoint.compress_from and not call.context.keeps_plain:
            accepted = joined(headers, b"accept-encoding") if b"accept-encoding" in fields else None
            return reply, coding_for(reply, accepted)
        return reply, None

    def _failure(self, status: Status, call: AnyCall | None) -> Reply:
        metadata: Any = (self.origin.initial,) if call is None else (call.initial_metadata, call.trailing_metadata)
        return self._options.errors.reply(status, *metadata)

    def empty(self) -> Message:
        return self.method.request()


class WholeRestCall(_Steps):
    """A unary call whose request has arrived whole."""

    def __init__(self, request: WholeRequest, endpoint: Endpoint, values: tuple[str, ...], options: Options) -> None:
        self._request, self._endpoint, self._values, self._options = request, endpoint, values, options
        client = request.client
        origin = self.origin = Origin("rest", client.peer, client.auth)
        origin.route = endpoint.route
        method = self.method = endpoint.method
        self.path = method.path
        self.http_status = 0
        self._parameters = DEFAULT
        self._warnings: list[str] = []

    def opening(self, most: float | None) -> tuple[AnyMetadata, float | None]:
        fields = self._request.fields
        return self.metadata() if self._options.policy.may_refuse(fields) else self, self._seconds(fields, most)

    def metadata(self) -> Metadata:
        return from_headers(self._request.headers, self._options.policy)

    def request(self, call: AnyCall) -> Message:
        request, binder = self._request, self._endpoint.binder
        if not request.body and not request.query and not binder.takes_body:
            return binder.from_path(self._values)
        content_type = _NO_TYPE
        body = counted(request.body, self._endpoint.body_limit, call.lease)
        if body or binder.takes_body:
            call.record.bytes_in += len(body)
            content_type = ContentType.of(request.fields.get(b"content-type"))
        return self._bind(request.query, body, content_type, self._warnings)

    def gone(self) -> Awaitable[None]:
        return self._request.gone()

    def answer(self, call: AnyCall, response: Message) -> Awaitable[None] | None:
        request = self._request
        reply, coding = self._reply(call, response, request.verb, request.fields, request.headers, self._warnings)
        if coding is not None:
            if len(reply.body) >= LARGE_BYTES:
                return self._answer_compressed(reply, coding)
            reply = compressed(reply, coding)
        self.http_status = reply.status
        request.answer(reply)
        return None

    async def _answer_compressed(self, reply: Reply, coding: Coding) -> None:
        reply = await aside(len(reply.body), compressed, reply, coding)
        self.http_status = reply.status
        self._request.answer(reply)

    def fail(self, status: Status, call: AnyCall | None) -> None:
        request = self._request
        if not request.begun:
            reply = self._failure(status, call)
            self.http_status = reply.status
            request.answer(reply)


class RestCall(_Steps):
    """A request that matched an endpoint."""

    _inbound: Inbound | None = None
    _streaming: Streaming | None = None

    def __init__(
        self, exchange: Exchange, endpoint: Endpoint, values: tuple[str, ...], session: Session, options: Options
    ) -> None:
        self._exchange, self._endpoint, self._values = exchange, endpoint, values
        self._session, self._options, self._parameters = session, options, DEFAULT
        self.origin = origin_of(exchange.scope, "rest")
        self.origin.route = endpoint.route
        self.method = endpoint.method
        self.path = endpoint.method.path

    @property
    def http_status(self) -> int:
        return self._exchange.status

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        exchange = self._exchange
        return from_headers(exchange.scope["headers"], self._options.policy), self._seconds(exchange.headers, most)

    async def source(self, call: AnyCall) -> Source | None:
        endpoint, exchange = self._endpoint, self._exchange
        if not endpoint.streams_in:
            return None
        headers, query = exchange.headers, exchange.scope["query_string"]
        self._parameters = endpoint.binder.parameters(query)
        inbound = self._inbound = exchange.inbound(coding_of(headers.get(b"content-encoding", b"")))
        content_type = ContentType.of(headers.get(b"content-type"))
        limit, warnings = endpoint.body_limit, exchange.warnings
        bounds = MessageBounds(self._session.timeouts, call.lease)
        return Elements(
            inbound, endpoint.binder, self._values, query, content_type, limit, warnings, call.record, bounds
        )

    async def read(self, call: AnyCall) -> Message:
        exchange, binder = self._exchange, self._endpoint.binder
        headers, receive = exchange.headers, exchange.receive
        body, content_type = b"", _NO_TYPE
        if binder.takes_body or b"content-length" in headers or b"transfer-encoding" in headers:
            body = await read(receive, headers, self._endpoint.body_limit, self._session.timeouts, call.lease)
            call.record.bytes_in += len(body)
            content_type = ContentType.of(headers.get(b"content-type"))
        query = exchange.scope["query_string"]
        return await aside(len(body), self._bind, query, body, content_type, exchange.warnings)

    def gone(self) -> Awaitable[None]:
        return (self._inbound or self._exchange).gone()

    async def unary(self, call: AnyCall, response: Message) -> None:
        exchange = self._exchange
        verb, headers = exchange.scope["method"], exchange.scope["headers"]
        reply, coding = self._reply(call, response, verb, exchange.headers, headers, exchange.warnings)
        if coding is not None:
            reply = await aside(len(reply.body), compressed, reply, coding)
        await exchange.reply(reply)

    def streamed(self, call: AnyCall) -> Streaming:
        replier, exchange, options = self._endpoint.replier, self._exchange, self._options
        compresses = self._endpoint.compress_from != NEVER
        if replier.raw is not None:
            self._streaming = Streaming(exchange, call, Bytes(replier.raw), None, compresses)
            return self._streaming
        framing = choose(exchange.header(b"accept"), options.retry)
        query = exchange.scope["query_string"]
        parameters = self._endpoint.binder.parameters(query) if call.needs_request else DEFAULT
        messages = Messages(framing, replier.stream(parameters), call, self.method.descriptor.output_type)
        heartbeat = options.heartbeats[framing.media]
        self._streaming = Streaming(exchange, call, messages, heartbeat, compresses)
        return self._streaming

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        exchange = self._exchange
        if not exchange.begun:
            await exchange.reply(self._failure(status, call))
        elif self._streaming is not None:
            await self._streaming.fail(status, self._options.errors.element(status))

    def close(self) -> None:
        if self._inbound is not None:
            self._inbound.close()
