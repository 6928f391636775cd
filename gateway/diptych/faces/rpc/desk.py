"""What every protocol of this room does alike: a call is opened, and what breaks is worded.

It knows no wire form.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ...call import AnyCall, Calls
from ...exchange import BodyPatience, Scope, origin_of
from ...metadata import HeaderPolicy, from_headers
from ...origin import Origin
from ...origin import Protocol as Name
from ...settings import Settings
from ...status import Code, Status, StatusError
from .entries import Entry
from .kinds import Protocol

__all__ = ["Desk"]

_STOPPING = Status(code=Code.UNAVAILABLE, message="the server is stopping")

# What the protocols say to one another in headers, and what only HTTP says: no metadata of a call.
_OWN = ("content-type", "accept-encoding")
_WEB_OWN = (*_OWN, "x-grpc-web")
_CONNECT_OWN = (
    *_OWN,
    *("connect-protocol-version", "connect-timeout-ms", "connect-content-encoding", "connect-accept-encoding"),
)


_NAMES: dict[Protocol, Name] = {
    Protocol.GRPC: "grpc",
    Protocol.WEB: "grpc-web",
    Protocol.WEB_TEXT: "grpc-web",
    Protocol.CONNECT: "connect",
    Protocol.CONNECT_STREAM: "connect",
}


class Desk:
    """Opens calls, and says what became of them."""

    def __init__(self, calls: Calls, settings: Settings) -> None:
        self.calls = calls
        self.settings = settings
        self.max_seconds = settings.max_deadline_seconds
        self.patience = BodyPatience(seconds=settings.body_seconds, pace=settings.body_bytes_per_second)
        self.stopping = False
        own = {
            Protocol.GRPC: _OWN,
            Protocol.WEB: _WEB_OWN,
            Protocol.WEB_TEXT: _WEB_OWN,
            Protocol.CONNECT: _CONNECT_OWN,
            Protocol.CONNECT_STREAM: _CONNECT_OWN,
        }
        self._policies = {
            protocol: HeaderPolicy.of(settings.metadata_allow, (*settings.metadata_deny, *dropped))
            for protocol, dropped in own.items()
        }

    def arrive(self, protocol: Protocol, entry: Entry, scope: Scope) -> Origin:
        """Where a call came from, with its record begun; whoever asks ends that."""
        origin = origin_of(scope, _NAMES[protocol])
        self.calls.watch.begin(entry.path, origin)
        return origin

    async def open(
        self, protocol: Protocol, entry: Entry, scope: Scope, origin: Origin, seconds: float | None, *, json: bool
    ) -> AnyCall:
        """Begin a call: interceptors run, and nothing of the body is read. Raises `StatusError`."""
        metadata = from_headers(scope["headers"], self._policies[protocol])
        if json and entry.json is not None:
            return await self.calls.open(entry.json.method, metadata, origin, seconds)
        return await self.calls.open_wire(entry.path, metadata, origin, seconds)

    def blame(self, wrong: BaseException, scope: Scope) -> Status:
        """What the client is told of an exception; what is not for it is raised again."""
        if isinstance(wrong, StatusError):
            return wrong.status
        if isinstance(wrong, asyncio.CancelledError) and self.stopping:
            return _STOPPING
        if not isinstance(wrong, Exception):
            raise wrong
        return self.calls.guard.status(wrong, f"{scope['method']} {scope['path']}")


def nothing(entry: Entry, *, json: bool) -> Any:
    """The request of a call whose handler looks at none."""
    return entry.json.method.request() if json and entry.json is not None else b""
