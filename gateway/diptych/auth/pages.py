"""Authentication of pages: FastAPI routes and mounted apps, which no interceptor sees.

It knows no method and no call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
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
        return _Caller(self, need)

    def guarded(self, app: ASGIApp, need: Need) -> ASGIApp:
        """Returns the app behind the same authentication, for `mount`."""

        async def guard(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "lifespan":
                await self.admit(scope, need)
            await app(scope, receive, send)

        return guard


class _Caller:
    """A dependency that yields the caller; its need can be read from a route."""

    def __init__(self, pages: Pages, need: Need) -> None:
        self._pages, self.need = pages, need

    async def __call__(self, connection: HTTPConnection) -> Principal:
        return await self._pages.admit(connection.scope, self.need)


def add_security(document: dict[str, Any], routes: Iterable[Any], schemes: Iterable[str]) -> None:
    """Adds to FastAPI's document what each route requires that depends on a caller; any of `schemes` is enough."""
    names = list(schemes)
    for route in routes:
        if not isinstance(route, APIRoute):
            continue
        needs = [*_needs(route.dependant)]
        item = document.get("paths", {}).get(route.path_format, {})
        for verb in (route.methods or ()) if needs else ():
            if verb.lower() in item:
                scopes = sorted({scope for need in needs for scope in need.scopes})
                item[verb.lower()]["security"] = [{name: scopes} for name in names]


def _needs(dependant: Dependant) -> Iterator[Need]:
    if isinstance(dependant.call, _Caller):
        yield dependant.call.need
    for below in dependant.dependencies:
        yield from _needs(below)


def need_of(scopes: Iterable[str], roles: Iterable[str]) -> Need:
    """Returns what a page requires: all of `scopes`, one of `roles`."""
    return Need(scopes=frozenset(scopes), roles=frozenset(roles))
