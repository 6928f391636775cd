"""The ASGI app: match, bind, call, reply, and nothing else. It serves what `Transcoder.routes` holds.

It knows no FastAPI and no listener. Everything a request needs is found in its route's `Endpoint`, made at start-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from ...bind import Binder, ContentType
from ...call import Call, Calls, ClientGone, Gone, One, Source, before
from ...codec import DEFAULT, Codec, Parameters
from ...exchange import (
    BodyPatience,
    Disconnected,
    Exchange,
    Inbound,
    Receive,
    Scope,
    Send,
    StreamCut,
    coding_of,
    origin_of,
    raw_path,
    read,
)
from ...framing import Framing, choose
from ...metadata import SERVER_TIMEOUT_HEADER, TIMEOUT_HEADER, HeaderPolicy, from_headers, timeout
from ...methods import Method
from ...reply import ErrorReplier, Replier, Reply, no_route, wrong_method
from ...routes import Match, NoRoute, Route, RouteConflict, RouteTable, WrongMethod
from ...rules import Binding, RuleError
from ...settings import Settings
from ...status import Code, Status, StatusError
from ..websocket import WebSockets
from ..websocket.connection import HELD
from . import ranges
from .requests import Elements
from .streaming import Bytes, Messages
from .streaming import send as send_stream

__all__ = ["HELD", "Endpoint", "Transcoder"]

_STOPPING = Status(code=Code.UNAVAILABLE, message="the server is stopping")
_NO_TYPE = ContentType("", "")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One binding with all that serves it; `body_limit` in bytes a message."""

    method: Method
    binding: Binding
    binder: Binder
    replier: Replier
    body_limit: int
    streams_in: bool
    """Whether the body is a stream of requests. Without a body a client's stream is one request, of path and query."""
    route: tuple[str, str]
    """Verb and template, as telemetry names them."""


class Transcoder:
    """Serves bindings over ASGI.

    Raises `RuleError` where two bindings cannot be told apart.
    """

    def __init__(
        self, bindings: Iterable[tuple[Method, Binding]], *, calls: Calls, codec: Codec, settings: Settings
    ) -> None:
        self.routes: RouteTable[Endpoint] = RouteTable()
        self.errors = ErrorReplier(codec, settings.error_dialect)
        self.stopping = False
        """Set when running calls are being cancelled, so that whoever still waits is told why."""
        self.calls = calls
        self._plain = calls.plain
        self._policy = HeaderPolicy.of(settings.metadata_allow, settings.metadata_deny)
        self._max_seconds = settings.max_deadline_seconds
        self._patience = BodyPatience(seconds=settings.body_seconds, pace=settings.body_bytes_per_second)
        self._heartbeat = settings.sse_heartbeat_seconds
        bound = list(bindings)
        self.websocket = WebSockets(
            bound,
            calls.methods,
            calls=calls,
            codec=codec,
            errors=self.errors,
            settings=settings,
            served=lambda path: bool(self.routes.shaped(path)) or path in calls.handlers,
            stopping=lambda: self.stopping,
        )
        """Serves the streaming methods over WebSocket, as an ASGI app of that scope."""
        for method, binding in bound:
            binder = Binder(method, binding, codec, settings)
            endpoint = Endpoint(
                method,
                binding,
                binder,
                Replier(method, binding, codec, settings),
                settings.body_limit(method.path),
                method.client_streaming and binder.takes_body,
                (binding.verb, binding.template.text),
            )
            try:
                self.routes.add(Route(verb=binding.verb, template=binding.template, target=endpoint))
            except RouteConflict as conflict:
                raise RuleError(binding.method, f"column 1 of {binding.template.text!r}: {conflict}") from None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        path = raw_path(scope)
        try:
            match = self.routes.match(scope["method"], path)
        except StatusError as unreadable:
            await self._unmatched(exchange, self.errors.reply(unreadable.status))
            return
        if not isinstance(match, Match):
            await self._unmatched(exchange, self._miss(match, scope["method"], path))
            return
        endpoint = match.route.target
        origin = origin_of(scope, "rest")
        origin.route = endpoint.route
        record = self.calls.watch.begin(endpoint.method.path, origin)
        try:
            asked = endpoint.method, from_headers(scope["headers"], self._policy), origin, self._seconds(exchange)
            call = self.calls.open_plain(*asked) if self._plain else await self.calls.open(*asked)
            serve = self._client_stream if endpoint.streams_in else self._one_request
            await serve(exchange, endpoint, match.values, call)
        except (ClientGone, Disconnected):
            return  # nobody is left to answer
        except StreamCut:
            raise
        except BaseException as wrong:
            status = self._blame(wrong, scope)
            record.code, record.http_status = status.number, status.http_status
            await exchange.reply(self.errors.reply(status, origin.initial))
        finally:
            origin.over()

    async def _unmatched(self, exchange: Exchange, reply: Reply) -> None:
        self.calls.watch.unmatched(reply.status)
        await exchange.reply(reply)

    def _blame(self, wrong: BaseException, scope: Scope) -> Status:
        """What the client is told of an exception; what is not for it is raised again."""
        if isinstance(wrong, StatusError):
            return wrong.status
        if isinstance(wrong, asyncio.CancelledError) and self.stopping:
            return _STOPPING
        if not isinstance(wrong, Exception):
            raise wrong
        return self.unexpected(wrong, f"{scope['method']} {scope['path']}")

    def fits(self, scope: Scope) -> bool:
        """Whether a route has the request's shape, for whatever method."""
        return bool(self.routes.shaped(raw_path(scope)))

    def unexpected(self, wrong: Exception, where: str) -> Status:
        """What a client may see of an exception nobody expected; the log has the rest, under the same id."""
        return self.calls.guard.status(wrong, where)

    def _miss(self, miss: NoRoute | WrongMethod, verb: str, path: str) -> Reply:
        if isinstance(miss, NoRoute):
            return self.errors.reply(no_route(path))
        if verb == "OPTIONS":
            return Reply(204, [(b"allow", ", ".join(miss.allowed).encode())], b"")
        return self.errors.reply(wrong_method(verb, path, miss.allowed))

    def _seconds(self, exchange: Exchange) -> float | None:
        """How long the call may take."""
        headers = exchange.headers
        if TIMEOUT_HEADER in headers or SERVER_TIMEOUT_HEADER in headers:
            return timeout(headers.get(TIMEOUT_HEADER), headers.get(SERVER_TIMEOUT_HEADER), self._max_seconds)
        return self._max_seconds

    async def _body(self, exchange: Exchange, endpoint: Endpoint, call: Call) -> bytes:
        if call.deadline is None:
            body = await read(exchange.receive, exchange.headers, endpoint.body_limit, self._patience, call.lease)
        else:
            async with before(call.deadline):
                body = await read(exchange.receive, exchange.headers, endpoint.body_limit, self._patience, call.lease)
        call.record.bytes_in += len(body)
        return body

    async def _one_request(self, exchange: Exchange, endpoint: Endpoint, values: tuple[str, ...], call: Call) -> None:
        framing = choose(exchange.header(b"accept")) if call.streams and endpoint.replier.raw is None else None
        headers, binder = exchange.headers, endpoint.binder
        if call.needs_request:
            body, content_type = b"", _NO_TYPE
            if binder.takes_body or b"content-length" in headers or b"transfer-encoding" in headers:
                body = await self._body(exchange, endpoint, call)
                content_type = ContentType.of(headers.get(b"content-type"))
            query = exchange.scope["query_string"]
            request, parameters = binder.bind(values, query, body, content_type, exchange.warnings)
        else:
            request, parameters = endpoint.method.request(), DEFAULT
        given = One(request) if call.takes_stream else request
        if call.streams:
            await self._stream(exchange, endpoint, call, given, parameters, framing, exchange.gone)
        else:
            await self._unary(exchange, endpoint, call, given, parameters, exchange.gone)

    async def _client_stream(self, exchange: Exchange, endpoint: Endpoint, values: tuple[str, ...], call: Call) -> None:
        framing = choose(exchange.header(b"accept")) if call.streams and endpoint.replier.raw is None else None
        headers, query, binder = exchange.headers, exchange.scope["query_string"], endpoint.binder
        parameters = binder.parameters(query)
        async with Inbound(exchange.receive, gzip=coding_of(headers.get(b"content-encoding", b""))) as inbound:
            content_type = ContentType.of(headers.get(b"content-type"))
            source = Elements(inbound, binder, values, query, content_type, endpoint.body_limit, exchange.warnings)
            source.record = call.record
            given: Message | Source = source if call.takes_stream else await _first(source, endpoint, call)
            if call.streams:
                await self._stream(exchange, endpoint, call, given, parameters, framing, inbound.gone)
            else:
                await self._unary(exchange, endpoint, call, given, parameters, inbound.gone)

    async def _unary(
        self,
        exchange: Exchange,
        endpoint: Endpoint,
        call: Call,
        request: Message | Source,
        parameters: Parameters,
        gone: Gone,
    ) -> None:
        try:
            response: Message = await call.unary(request, gone)
            initial, trailing = call.initial_metadata, call.trailing_metadata
            reply = endpoint.replier.unary(response, parameters, initial, trailing, exchange.warnings)
            if endpoint.replier.raw is not None and exchange.scope["method"] in ("GET", "HEAD"):
                reply = ranges.applied(reply, exchange.headers)
            call.record.bytes_out += len(reply.body)
        except StatusError as failed:
            call.record.code = failed.status.number
            reply = self.errors.reply(failed.status, call.initial_metadata, call.trailing_metadata)
        call.record.http_status = reply.status
        await exchange.reply(reply)

    async def _stream(
        self,
        exchange: Exchange,
        endpoint: Endpoint,
        call: Call,
        request: Message | Source,
        parameters: Parameters,
        framing: Framing | None,
        gone: Gone,
    ) -> None:
        replier = endpoint.replier
        form = Messages(framing, replier, parameters) if framing is not None else Bytes(replier.raw or _itself)
        stream = call.stream(request)
        try:
            await send_stream(exchange, call, stream, form, self._heartbeat, gone)
        except ClientGone:
            raise
        except BaseException as wrong:
            status = self._blame(wrong, exchange.scope)
            call.record.code = status.number
            if not exchange.begun:
                call.record.http_status = status.http_status
                await exchange.reply(self.errors.reply(status, call.initial_metadata, call.trailing_metadata))
                return
            await exchange.cut(form.failure(self.errors.element(status)))
            raise StreamCut(status) from None
        finally:
            stream.close()


async def _first(source: Source, endpoint: Endpoint, call: Call) -> Message:
    """The one request that an interceptor's own handler looks at, where the method's would have taken a stream."""
    if not call.needs_request:
        return endpoint.method.request()
    try:
        first: Message = await source.__anext__()
    except StopAsyncIteration:
        return endpoint.method.request()
    return first


def _itself(message: Message) -> Message:
    return message
