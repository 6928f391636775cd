"""Which hosts a request may name: those of `allowed_hosts`, so that no page of another name reaches the gateway.

A page whose name resolves to this machine (DNS rebinding) is of the same origin for its browser, and so may send and
read everything; only the name in its requests betrays it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

from ...addresses import is_loopback
from ...exchange import CUT
from ...faces.websocket import Socket
from ...settings import Settings
from ...status import Status, Violation, invalid
from .faces import Faces
from .refusal import refuse

# What asks them by address, as probes do, learns nothing from the answers.
_OPEN = frozenset(("/healthz", "/readyz"))


class Hosts:
    """The names that requests may have: whole ones, or `*.` and a suffix. Ports and case do not count."""

    __slots__ = ("_loopback", "_names", "_suffixes", "last")

    def __init__(self, names: Iterable[str], *, loopback: bool = False) -> None:
        """`loopback` adds every name of this machine."""
        known = [_bare(name) for name in names]
        self._names = frozenset(known)
        self._suffixes = tuple(name[1:] for name in known if name.startswith("*."))
        self._loopback = loopback
        self.last: bytes | None = None
        """The last allowed host, for which callers need not ask: clients send the same again."""

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Returns the hosts of these settings, None for any."""
        if settings.allowed_hosts is not None:
            return None if "*" in settings.allowed_hosts else cls(settings.allowed_hosts)
        return cls((settings.http_host,), loopback=True) if is_loopback(settings.http_host) else None

    def allow(self, host: bytes | None) -> bool:
        """Whether a request may name this host. Clients that name none (HTTP/1.0, or HTTP/2) are no browsers."""
        if host == self.last or host is None:
            return True
        name = _bare(host.decode("latin-1"))
        allowed = (
            name in self._names
            or name.endswith(self._suffixes)
            or (self._loopback and (is_loopback(name) or name.endswith(".localhost")))
        )
        if allowed:
            self.last = host
        return allowed


def _bare(host: str) -> str:
    """Returns a host without its port, brackets and final dot, in lower case."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") == 1:
        host = host.partition(":")[0]
    return host.removesuffix(".")


class HostCheck:
    """Refuses requests that name another host. Other servers than ours apply only hosts that are set."""

    def __init__(self, app: ASGIApp, hosts: Hosts, faces: Callable[[], Awaitable[Faces]], *, explicit: bool) -> None:
        self._app, self._hosts, self._faces, self._explicit = app, hosts, faces, explicit

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "lifespan" and (self._explicit or CUT in scope):
            host = next((value for name, value in scope["headers"] if name == b"host"), None)
            if not self._hosts.allow(host) and scope["path"] not in _OPEN:
                return self._refuse(scope, receive, send, host or b"")
        return self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, host: bytes) -> None:
        faces, status = await self._faces(), _refusal(host)
        if scope["type"] != "websocket":
            await refuse(faces, status, scope, receive, send)
            return
        socket = Socket(scope, receive, send)
        if await socket.connected():
            reply = faces.errors.reply(status)
            faces.session.unmatched(scope, "websocket", reply.status)
            await socket.refuse(reply)


def _refusal(host: bytes) -> Status:
    name = host.decode("ascii", "backslashreplace")[:255]
    return invalid(Violation("host", f"'{name}' is not a host of this server; see the setting allowed_hosts")).status
