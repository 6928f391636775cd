"""The same callers for pages: FastAPI routes and mounted apps, which no interceptor sees.

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
from .interceptor import Doorkeeper, credentials_of
from .policy import Need
from .refusals import NOBODY, denied, unauthenticated

_HEADERS = HeaderPolicy()

Dependency = Callable[[HTTPConnection], Awaitable[Principal]]


class Pages:
    """Lets requests in as calls are let in, by the same authenticators."""

    def __init__(self, door: Doorkeeper) -> None:
        self._door = door

    async def admit(self, scope: Any, need: Need) -> Principal:
        """The caller of a request, whom `diptych.principal()` names from here on. Raises `StatusError`."""
        known = origin_of(scope, "websocket" if scope["type"] == "websocket" else "rest")
        page = str(scope.get("path", ""))
        caller = await self._door.ask(credentials_of(page, from_headers(scope["headers"], _HEADERS), known))
        if caller is None:
            raise StatusError(unauthenticated(NOBODY, shown=False))
        status = denied(need, caller, page)
        if status is not None:
            raise StatusError(status)
        known.notes[NOTE] = caller
        enter(known)
        return caller

    def dependency(self, need: Need) -> Dependency:
        """For `Depends`: gives the caller."""

        async def caller(connection: HTTPConnection) -> Principal:
            return await self.admit(connection.scope, need)

        return caller

    def guarded(self, app: ASGIApp, need: Need) -> ASGIApp:
        """For `mount`: the app behind the same door."""

        async def guard(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "lifespan":
                await self.admit(scope, need)
            await app(scope, receive, send)

        return guard


def need_of(scopes: Iterable[str], roles: Iterable[str]) -> Need:
    """What a page asks: all of `scopes`, one of `roles`."""
    return Need(scopes=frozenset(scopes), roles=frozenset(roles))
