"""Authentication of pages: FastAPI routes and mounted apps, which no interceptor sees.

It knows no method and no call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ..exchange import origin_of
from ..metadata import HeaderPolicy, from_headers
from ..origin import enter
from ..status import StatusError
from .caller import NOTE, Principal
from .interceptor import AuthenticatorChain, credentials_of
from .policy import Need
from .refusals import NOBODY, denied, unauthenticated

_HEADERS = HeaderPolicy()

Dependency = Callable[[HTTPConnection], Awaitable[Principal]]


class Pages:
    """Authenticates and authorizes HTTP requests by the same authenticators as calls."""

    def __init__(self, chain: AuthenticatorChain) -> None:
        self._chain = chain

    async def admit(self, scope: Any, need: Need) -> Principal:
        """Returns the caller of a request, and makes `diptych.principal()` return it. Raises `StatusError`."""
        known = origin_of(scope, "websocket" if scope["type"] == "websocket" else "rest")
        page = str(scope.get("path", ""))
        caller = await self._chain.ask(credentials_of(page, from_headers(scope["headers"], _HEADERS), known))
        if caller is None:
            raise StatusError(unauthenticated(NOBODY, shown=False))
        status = denied(need, caller, page)
        if status is not None:
            raise StatusError(status)
        known.notes[NOTE] = caller
        enter(known)
        return caller

    def dependency(self, need: Need) -> Dependency:
        """Returns a dependency for `Depends` that yields the caller."""

        async def caller(connection: HTTPConnection) -> Principal:
            return await self.admit(connection.scope, need)

        return caller

    def guarded(self, app: ASGIApp, need: Need) -> ASGIApp:
        """Returns the app behind the same authentication, for `mount`."""

        async def guard(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "lifespan":
                await self.admit(scope, need)
            await app(scope, receive, send)

        return guard


def need_of(scopes: Iterable[str], roles: Iterable[str]) -> Need:
    """Returns what a page requires: all of `scopes`, one of `roles`."""
    return Need(scopes=frozenset(scopes), roles=frozenset(roles))
