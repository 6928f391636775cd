"""Replaces the address of a trusted proxy by that of the client behind it, for every protocol of the port.

It knows no header's grammar, which is in `forwarded`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from ..exchange import PREFIX, Door, Serve, WholeRequest
from ..forwarded import Proxies
from ..origin import peer_of
from .authority import AUTHORITY

_HOST, _PREFIX = b"x-forwarded-host", b"x-forwarded-prefix"


def behind(app: ASGIApp, proxies: Proxies) -> ASGIApp:
    """Wraps an app so that `client`, `scheme` and the host of its scopes come from the proxies' headers."""
    name = proxies.header.encode()

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope.get("client") is not None:
            _apply(scope)
        await app(scope, receive, send)

    def _apply(scope: Scope) -> None:
        headers = scope["headers"]
        values = _values(headers, name)
        peer = scope["client"][0]
        if (host := proxies.authority(peer, values, _values(headers, _HOST))) is not None:
            scope["headers"] = [(b"host", _bytes(host)), *[pair for pair in headers if pair[0] != b"host"]]
        if prefix := proxies.prefix(peer, _values(headers, _PREFIX)):
            scope[PREFIX] = prefix
        if not values:
            return
        found = proxies.client(peer, values, _values(headers, b"x-forwarded-proto"))
        if found is None:
            return
        scope["client"] = (found.host, found.port)
        if found.scheme:
            secure = found.scheme == "https"
            web = "https" if secure else "http"
            scope["scheme"] = ("wss" if secure else "ws") if scope["type"] == "websocket" else web

    return wrapped


def door_behind(door: Door, proxies: Proxies) -> Door:
    """Wraps a door in the same way, so that `peer` of its requests comes from the proxies' headers."""
    name = proxies.header.encode()

    def behind_proxies(request: WholeRequest) -> Serve | None:
        fields, client = request.fields, request.client
        if client.host is not None and (name in fields or _HOST in fields):
            headers = request.headers
            values = _values(headers, name)
            if values and (found := proxies.client(client.host, values, _values(headers, b"x-forwarded-proto"))):
                request.client = replace(client, peer=peer_of(found.host, found.port))
            if host := proxies.authority(client.host, values, _values(headers, _HOST)):
                request.authority = _bytes(host)
        return door(request)

    return behind_proxies


def _bytes(host: str) -> bytes:
    """Returns a host as a header has it; an invalid one becomes a host that no server has."""
    value = host.encode("latin-1")
    return value if AUTHORITY.fullmatch(value) else b"invalid"


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]
