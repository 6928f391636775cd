"""Replaces the address of a trusted proxy by that of the client behind it, for every protocol of the port.

It knows no header's grammar, which is in `forwarded`.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ..forwarded import Proxies


def behind(app: ASGIApp, proxies: Proxies) -> ASGIApp:
    """Wraps an app so that `client` and `scheme` of its scopes come from the proxies' headers."""
    name = proxies.header.encode()

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope.get("client") is not None:
            _apply(scope)
        await app(scope, receive, send)

    def _apply(scope: Scope) -> None:
        values = _values(scope, name)
        if not values:
            return
        found = proxies.client(scope["client"][0], values, _values(scope, b"x-forwarded-proto"))
        if found is None:
            return
        scope["client"] = (found.host, found.port)
        if found.scheme:
            secure = found.scheme == "https"
            web = "https" if secure else "http"
            scope["scheme"] = ("wss" if secure else "ws") if scope["type"] == "websocket" else web

    return wrapped


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
