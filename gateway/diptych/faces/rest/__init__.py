"""The ASGI app of REST: finds the endpoint of a request and has the session serve it.

It knows no FastAPI and no listener. Everything a request needs is in its route's `Endpoint`, built at start-up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import replace
from functools import partial

from ...codec import Codec
from ...exchange import Exchange, Receive, Scope, Send, Serve, WholeRequest, raw_path
from ...media import ARRAY, NDJSON, SSE
from ...metadata import HeaderPolicy
from ...methods import Method
from ...reply import ErrorReplier, Reply, no_route, wrong_method
from ...routes import Match, NoRoute, Route, RouteConflict, RouteTable, WrongMethod
from ...rules import Binding, RuleError
from ...settings import Settings
from ...status import Status, StatusError
from ..session import Session
from .call import RestCall, WholeRestCall
from .endpoint import Endpoint, Options

__all__ = ["Endpoint", "Transcoder"]


# A path is matched once for each custom verb to say which it may have; strangers choose its length.
_LONGEST_GUESS = 1024


class Transcoder:
    """Serves bindings over ASGI.

    Raises `RuleError` if two bindings match the same requests.
    """

    def __init__(
        self,
        bindings: Iterable[tuple[Method, Binding]],
        *,
        session: Session,
        codec: Codec,
        errors: ErrorReplier,
        settings: Settings,
    ) -> None:
        self.routes: RouteTable[Endpoint] = RouteTable()
        self._session, self._errors = session, errors
        self._options = Options(
            errors=errors,
            policy=HeaderPolicy.of(settings.metadata_allow, settings.metadata_deny),
            heartbeats={
                ARRAY: settings.stream_heartbeat_seconds,
                NDJSON: settings.stream_heartbeat_seconds,
                SSE: settings.sse_heartbeat_seconds,
            },
            retry=settings.sse_retry_seconds,
        )
        for method, binding in bindings:
            endpoint = Endpoint.of(method, binding, codec, settings)
            try:
                self.routes.add(Route(verb=binding.verb, template=binding.template, target=endpoint))
            except RouteConflict as conflict:
                raise RuleError(binding.method, f"column 1 of {binding.template.text!r}: {conflict}") from None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = Exchange(scope, receive, send)
        path = raw_path(scope)
        try:
            match = self.routes.match(scope["method"], path)
        except StatusError as unreadable:
            return self._unmatched(exchange, self._errors.reply(unreadable.status))
        if isinstance(match, Match):
            call = RestCall(exchange, match.route.target, match.values, self._session, self._options)
            return self._session.serve(call)
        return self._unmatched(exchange, self._miss(match, scope["method"], path))

    def door(self, request: WholeRequest) -> Serve | None:
        """Returns what serves a request of a plain endpoint without ASGI, or None for any other request."""
        try:
            match = self.routes.match(request.verb, request.path)
        except StatusError:
            return None
        if not isinstance(match, Match):
            return None
        endpoint = match.route.target
        if not endpoint.plain or b"content-encoding" in request.fields:
            return None
        call = WholeRestCall(request, endpoint, match.values, self._options)
        return partial(self._session.serve_whole, call)

    async def _unmatched(self, exchange: Exchange, reply: Reply) -> None:
        self._session.unmatched(exchange.scope, "rest", reply.status)
        await exchange.reply(reply)

    def fits(self, path: str) -> bool:
        """Whether a route has the shape of a percent-encoded path, for any method."""
        return bool(self.routes.shaped(path))

    def _miss(self, miss: NoRoute | WrongMethod, verb: str, path: str) -> Reply:
        if verb == "OPTIONS" and path == "*":  # about the server itself (RFC 9110 section 9.3.7)
            return Reply(204, [], b"")
        if verb == "OPTIONS" and isinstance(miss, WrongMethod):
            return Reply(204, [(b"allow", ", ".join(miss.allowed).encode())], b"")
        status = no_route(path) if isinstance(miss, NoRoute) else wrong_method(verb, path, miss.allowed)
        return self._errors.reply(self._with_verbs(status, verb, path))

    def _with_verbs(self, status: Status, verb: str, path: str) -> Status:
        """Returns the status of a miss; if only the custom verb of the path is unknown, it lists the known ones."""
        if len(path) > _LONGEST_GUESS:
            return status
        try:
            known = self.routes.verbs_of(verb, path)
        except StatusError:  # the path is malformed, so it would miss with any verb
            known = []
        if not known:
            return status
        expected = ", ".join(f":{one}" for one in known)
        return replace(status, message=f"unknown verb ':{path.rpartition(':')[2]}' in '{path}'; expected {expected}")
