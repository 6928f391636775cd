"""Streaming methods over WebSocket: the paths they are reached at, and the way of one call through its socket.

It knows no listener. Everything a handshake needs is found in its path's `Door`, made at start-up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from ... import template
from ...bind import Binder, ContentType
from ...call import Call, Calls, ClientGone, One, Source, before
from ...codec import Codec
from ...exchange import Receive, Scope, Send, origin_of, raw_path
from ...metadata import SERVER_TIMEOUT_HEADER, TIMEOUT_HEADER, HeaderPolicy, from_headers, timeout
from ...methods import Method
from ...origin import INSECURE, Origin
from ...reply import ErrorReplier, Replier, no_route
from ...routes import Match, Route, RouteTable
from ...rules import Binding
from ...settings import Settings
from ...status import Code, Status, StatusError, Violation, error, invalid
from . import handshake
from .connection import TOO_BIG, Closing, Frames, Socket
from .handshake import Handshake, RawPairs
from .messages import Requests, Talk, binding_of

# A handshake is a GET (RFC 6455 section 4.1), whatever verb the binding has for HTTP.
_VERB = "GET"
# How long a client that announced its metadata may wait with it, and how long a client that is cut off may take to read
# why, in seconds.
_METADATA_SECONDS = 10.0
_LAST_SECONDS = 0.5
_NO_TYPE = ContentType("", "")
_CODE_OF_CLOSE = {TOO_BIG: Code.RESOURCE_EXHAUSTED}
_STOPPING = Status(code=Code.UNAVAILABLE, message="the server is stopping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One path of one streaming method. `most` is how many messages it takes, None being any number."""

    method: Method
    binder: Binder
    replier: Replier
    most: int | None
    limit: int

    @classmethod
    def of(cls, method: Method, binding: Binding, codec: Codec, settings: Settings) -> Door:
        """A client's stream has frames even where its binding has no body for them."""
        if method.client_streaming and not binding.takes_body:
            binding = replace(binding, whole_body=True)
        return cls(
            method=method,
            binder=Binder(method, binding, codec, settings, framed=True),
            replier=Replier(method, binding, codec, settings),
            most=None if method.client_streaming else int(binding.takes_body),
            limit=settings.body_limit(method.path),
        )


class WebSockets:
    """Serves streaming methods at their bindings' paths and at `/{package.Service}/{Method}`.

    `served` says whether anything but a stream is served at a path, and `stopping` whether calls are being cancelled.
    """

    def __init__(
        self,
        bindings: Iterable[tuple[Method, Binding]],
        methods: Iterable[Method],
        *,
        calls: Calls,
        codec: Codec,
        errors: ErrorReplier,
        settings: Settings,
        served: Callable[[str], bool],
        stopping: Callable[[], bool],
    ) -> None:
        self._calls, self._errors, self._served, self._stopping = calls, errors, served, stopping
        self._policy = HeaderPolicy.of(settings.metadata_allow, settings.metadata_deny)
        self._max_seconds, self._origins = settings.max_deadline_seconds, settings.cors_origins
        self._routes: RouteTable[Door] = RouteTable()
        for method, binding in _best(bindings):
            door = Door.of(method, binding, codec, settings)
            self._routes.add(Route(verb=_VERB, template=binding.template, target=door))
        self._named: Mapping[str, Door] = {
            method.path: Door.of(method, _by_name(method), codec, settings) for method in methods if _streams(method)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = Socket(scope, receive, send)
        with contextlib.suppress(ClientGone):
            if not await socket.connected():
                return
            try:
                door, values = self._find(raw_path(scope))
                shake = handshake.read(scope, self._origins)
                parameters = door.binder.parameters(shake.query)
            except StatusError as refused:
                self._calls.watch.unmatched(refused.status.http_status)
                await socket.refuse(self._errors.reply(refused.status))
                return
            origin = origin_of(scope, "websocket")
            if shake.anonymous:
                origin.auth = INSECURE  # the browser's certificate, which the page did not choose to show
            self._calls.watch.begin(door.method.path, origin)
            talk = Talk(socket, shake, door.replier, parameters, self._errors, origin)
            try:
                await self._serve(socket, talk, door, values, shake)
            except ClientGone:
                return
            except BaseException as wrong:
                await self._fail(talk, wrong, door.method.path)
            finally:
                origin.over()

    async def _fail(self, talk: Talk, wrong: BaseException, where: str) -> None:
        if isinstance(wrong, StatusError):
            await talk.fail(wrong.status)
        elif isinstance(wrong, asyncio.CancelledError) and self._stopping():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):  # a client that does not read holds nobody up
                    await talk.fail(_STOPPING, stopping=True)
        elif isinstance(wrong, Exception):
            await talk.fail(self._calls.guard.status(wrong, where))
        else:
            raise wrong

    def _find(self, path: str) -> tuple[Door, tuple[str, ...]]:
        named = self._named.get(path)
        if named is not None:
            return named, ()
        match = self._routes.match(_VERB, path)
        if isinstance(match, Match):
            return match.route.target, match.values
        if self._served(path):
            raise invalid(Violation("", f"{path} takes single calls over plain HTTP; a WebSocket is for streams"))
        raise StatusError(no_route(path))

    async def _serve(self, socket: Socket, talk: Talk, door: Door, values: tuple[str, ...], shake: Handshake) -> None:
        metadata = shake.metadata
        if shake.told:
            await talk.accept()
            metadata = [*metadata, *await _first_frame(socket)]
        call = talk.call = await self._open(door.method, metadata, talk.origin)
        if call.needs_request:
            # Where an interceptor answers by itself, its refusal is the handshake's answer.
            await talk.accept()
        async with Frames(socket, proto=shake.proto, limit=door.limit, most=door.most) as frames:
            try:
                await _answer(talk, call, await _request(frames, talk, call, door, values, shake), frames)
            except ClientGone:
                if isinstance(frames.fault, StatusError):
                    raise frames.fault from None
                if isinstance(frames.fault, Closing):
                    call.record.code = _CODE_OF_CLOSE.get(frames.fault.code, Code.INVALID_ARGUMENT).value[0]
                    await talk.accept()
                    await socket.close(*frames.fault)

    async def _open(self, method: Method, metadata: RawPairs, origin: Origin) -> Call:
        named = dict(metadata)
        seconds = timeout(named.get(TIMEOUT_HEADER), named.get(SERVER_TIMEOUT_HEADER), self._max_seconds)
        return await self._calls.open(method, from_headers(metadata, self._policy), origin, seconds)


def _streams(method: Method) -> bool:
    return method.client_streaming or method.server_streaming


def _by_name(method: Method) -> Binding:
    return Binding(method=method.descriptor, verb="POST", template=template.parse(method.path), whole_body=True)


def _best(bindings: Iterable[tuple[Method, Binding]]) -> Iterable[tuple[Method, Binding]]:
    """One streaming binding a shape: a handshake has no verb to tell them apart by.

    Both ways go before one way, the client's stream before the server's, and then GET, the handshake's own verb,
    before the others. Those that lose are still reached at `/{package.Service}/{Method}`.
    """

    def rank(one: tuple[Method, Binding]) -> tuple[bool, bool, bool]:
        method, binding = one
        return (
            not (method.client_streaming and method.server_streaming),
            not method.client_streaming,
            (binding.verb != _VERB),
        )

    found: dict[str, tuple[Method, Binding]] = {}
    for one in sorted((one for one in bindings if _streams(one[0])), key=rank):
        found.setdefault(one[1].template.shape, one)
    return found.values()


async def _first_frame(socket: Socket) -> RawPairs:
    """The metadata that a client sends first."""
    try:
        async with asyncio.timeout(_METADATA_SECONDS):
            message = await socket.receive()
    except TimeoutError:
        late = f"the first frame, with the metadata, did not come within {_METADATA_SECONDS:g} seconds"
        raise error(Code.DEADLINE_EXCEEDED, late) from None
    if message["type"] == "websocket.disconnect":
        raise ClientGone
    return handshake.metadata_frame(message.get("text") or "")


async def _request(
    frames: Frames, talk: Talk, call: Call, door: Door, values: tuple[str, ...], shake: Handshake
) -> Message | Source:
    """What the handler is given: the stream, or the one message."""
    source = Requests(frames, binding_of(door.method, door.binder, values, shake), talk.accept, call.record)
    if door.method.client_streaming and call.takes_stream:
        return source
    request = await _one(source, call, door, values, shake) if call.needs_request else door.method.request()
    return One(request) if call.takes_stream else request


async def _one(source: Requests, call: Call, door: Door, values: tuple[str, ...], shake: Handshake) -> Message:
    if door.most == 0:
        return door.binder.bind(values, shake.query, b"", _NO_TYPE, []).request
    try:
        if call.deadline is None:
            return await source.__anext__()
        async with before(call.deadline):
            return await source.__anext__()
    except StopAsyncIteration:
        if door.method.client_streaming:
            return door.method.request()  # an interceptor's own handler looks at the first, and there is none
        raise invalid(Violation("", "the method takes one message, and none came")) from None


async def _answer(talk: Talk, call: Call, given: Message | Source, frames: Frames) -> None:
    if not call.streams:
        await talk.message(await call.unary(given, frames.gone))
        await talk.end()
        return
    stream = call.stream(given)
    try:
        while (messages := await stream.next(frames.left)) is not None:
            if messages or call.context.initial_metadata_sent:
                await talk.begin()
            for message in messages:
                await talk.message(message)
    finally:
        stream.close()
    await talk.end()
