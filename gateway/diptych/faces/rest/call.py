"""One REST call: the request bound from path, query and body, and the answer as one response or as a stream.

It knows no route table, and nothing of the call's life: the session reads and writes through it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from google.protobuf.message import Message

from ...bind import ContentType
from ...call import AnyCall, Source
from ...codec import DEFAULT
from ...exchange import Exchange, Inbound, StreamCut, coding_of, origin_of, read
from ...framing import choose
from ...metadata import SERVER_TIMEOUT_HEADER, TIMEOUT_HEADER, Metadata, from_headers, timeout
from ...methods import Method
from ...status import Status
from ..session import Session
from . import ranges
from .endpoint import Endpoint, Options
from .requests import Elements
from .streaming import Bytes, Messages, Streaming

_NO_TYPE = ContentType("", "")


class RestCall:
    """A request that matched an endpoint; `values` are those of the template's variables."""

    # Defaults are class attributes, since an instance is created for every call and few calls change them.
    fault: Status | None = None
    _parameters = DEFAULT
    _inbound: Inbound | None = None
    _streaming: Streaming | None = None

    def __init__(
        self, exchange: Exchange, endpoint: Endpoint, values: tuple[str, ...], session: Session, options: Options
    ) -> None:
        self._exchange, self._endpoint, self._values = exchange, endpoint, values
        self._session, self._options = session, options
        self.origin = origin_of(exchange.scope, "rest")
        self.origin.route = endpoint.route
        self.method: Method = endpoint.method
        self.path = endpoint.method.path

    @property
    def http_status(self) -> int:
        return self._exchange.status

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        headers = self._exchange.headers
        if TIMEOUT_HEADER in headers or SERVER_TIMEOUT_HEADER in headers:
            most = timeout(headers.get(TIMEOUT_HEADER), headers.get(SERVER_TIMEOUT_HEADER), most)
        return from_headers(self._exchange.scope["headers"], self._options.policy), most

    async def source(self, call: AnyCall) -> Source | None:
        endpoint, exchange = self._endpoint, self._exchange
        if not endpoint.streams_in:
            return None
        headers, query = exchange.headers, exchange.scope["query_string"]
        self._parameters = endpoint.binder.parameters(query)
        gzip = coding_of(headers.get(b"content-encoding", b""))
        inbound = self._inbound = exchange.inbound(gzip=gzip)
        content_type = ContentType.of(headers.get(b"content-type"))
        limit, warnings = endpoint.body_limit, exchange.warnings
        return Elements(inbound, endpoint.binder, self._values, query, content_type, limit, warnings, call.record)

    async def read(self, call: AnyCall) -> Message:
        exchange, binder = self._exchange, self._endpoint.binder
        headers, receive = exchange.headers, exchange.receive
        body, content_type = b"", _NO_TYPE
        if binder.takes_body or b"content-length" in headers or b"transfer-encoding" in headers:
            body = await read(receive, headers, self._endpoint.body_limit, self._session.timeouts, call.lease)
            call.record.bytes_in += len(body)
            content_type = ContentType.of(headers.get(b"content-type"))
        query = exchange.scope["query_string"]
        request, self._parameters = binder.bind(self._values, query, body, content_type, exchange.warnings)
        return request

    def empty(self) -> Message:
        return self.method.request()

    def gone(self) -> Awaitable[None]:
        return (self._inbound or self._exchange).gone()

    async def unary(self, call: AnyCall, response: Message) -> None:
        exchange, replier = self._exchange, self._endpoint.replier
        initial, trailing = call.initial_metadata, call.trailing_metadata
        reply = replier.unary(response, self._parameters, initial, trailing, exchange.warnings)
        if replier.raw is not None and exchange.scope["method"] in ("GET", "HEAD"):
            reply = ranges.applied(reply, exchange.headers)
        call.record.bytes_out += len(reply.body)
        await exchange.reply(reply)

    def streamed(self, call: AnyCall) -> Streaming:
        replier, exchange, heartbeat = self._endpoint.replier, self._exchange, self._options.heartbeat
        if replier.raw is not None:
            self._streaming = Streaming(exchange, call, Bytes(replier.raw), heartbeat)
            return self._streaming
        framing = choose(exchange.header(b"accept"))
        query = exchange.scope["query_string"]
        parameters = self._endpoint.binder.parameters(query) if call.needs_request else DEFAULT
        messages = Messages(framing, replier.stream(parameters), call, self.method.descriptor.output_type)
        self._streaming = Streaming(exchange, call, messages, heartbeat)
        return self._streaming

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        exchange, errors = self._exchange, self._options.errors
        if not exchange.begun:
            metadata: Any = (self.origin.initial,) if call is None else (call.initial_metadata, call.trailing_metadata)
            await exchange.reply(errors.reply(status, *metadata))
        elif self._streaming is not None:
            await exchange.cut(self._streaming.form.failure(errors.element(status)))
            raise StreamCut(status) from None

    def close(self) -> None:
        if self._inbound is not None:
            self._inbound.close()
