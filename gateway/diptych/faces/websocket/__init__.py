"""The ASGI app of WebSockets: finds the streaming method of a handshake and has the session serve it.

It knows no listener. Everything a handshake needs is in the `SocketEndpoint` of its path, built at start-up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping

from ...call import ClientGone
from ...codec import Codec
from ...exchange import Receive, Scope, Send, raw_path
from ...metadata import HeaderPolicy
from ...methods import Method
from ...reply import ErrorReplier, no_route
from ...routes import Match, Route, RouteTable
from ...rules import Binding
from ...settings import Settings
from ...status import StatusError, Violation, invalid
from ..session import Session
from . import handshake
from .call import SocketCall
from .connection import HELD, LIMITED, WATCHED, Socket
from .endpoint import VERB, SocketEndpoint, best, streams
from .handshake import OWN_SITES, is_own

__all__ = ["HELD", "LIMITED", "OWN_SITES", "WATCHED", "Socket", "WebSockets", "is_own"]


class WebSockets:
    """Serves streaming methods at the paths of their bindings and at `/{package.Service}/{Method}`.

    `served` returns whether plain HTTP serves a percent-encoded path.
    """

    def __init__(
        self,
        bindings: Iterable[tuple[Method, Binding]],
        *,
        session: Session,
        codec: Codec,
        errors: ErrorReplier,
        settings: Settings,
        served: Callable[[str], bool],
    ) -> None:
        self._session, self._errors, self._served = session, errors, served
        self._policy = HeaderPolicy.of(settings.metadata_allow, settings.metadata_deny)
        self._origins = settings.cors_origins
        self._routes: RouteTable[SocketEndpoint] = RouteTable()
        for method, binding in best(bindings):
            endpoint = SocketEndpoint.of(method, binding, codec, settings)
            self._routes.add(Route(verb=VERB, template=binding.template, target=endpoint))
        methods = [method for method in session.calls.methods if streams(method)]
        self._named: Mapping[str, SocketEndpoint] = {
            method.path: SocketEndpoint.named(method, codec, settings) for method in methods
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = Socket(scope, receive, send)
        with contextlib.suppress(ClientGone):
            if not await socket.connected():
                return
            try:
                call = self._call(socket)
            except StatusError as refused:
                reply = self._errors.reply(refused.status)
                self._session.unmatched(scope, "websocket", reply.status)
                await socket.refuse(reply)
                return
            await self._session.serve(call)

    def _call(self, socket: Socket) -> SocketCall:
        endpoint, values = self._find(raw_path(socket.scope))
        found = handshake.read(socket.scope, self._origins)
        return SocketCall(socket, endpoint, values, found, self._policy, self._errors, self._session.timeouts)

    def _find(self, path: str) -> tuple[SocketEndpoint, tuple[str, ...]]:
        named = self._named.get(path)
        if named is not None:
            return named, ()
        match = self._routes.match(VERB, path)
        if isinstance(match, Match):
            return match.route.target, match.values
        if self._served(path):
            raise invalid(Violation("", f"'{path}' is not a streaming method; call it over plain HTTP"))
        raise StatusError(no_route(path))
