"""A request that has arrived whole, and the one response to it: what a listener offers instead of an ASGI scope.

It knows no message and no call. A listener asks its `Door` for each request; for those that it returns nothing for, the
listener makes an ASGI scope as for any other application.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from ..origin import INSECURE, peer_of
from ..reply import Headers, Reply

AUTH = "diptych.auth"
"""The scope key of the connection's `auth_context()`, if the connection is encrypted."""
PREFIX = "diptych.prefix"
"""The scope key of the prefix that a trusted proxy has removed from the path."""


@dataclass(frozen=True)
class Client:
    """Who sends the requests of a connection."""

    host: str | None
    """The host of its peer; None if that is unknown."""
    peer: str
    """The client's address in the form of grpcio's `context.peer()`."""
    auth: Mapping[str, Sequence[bytes]]
    """What grpcio's `context.auth_context()` returns."""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Client:
        """Returns the client of an ASGI scope."""
        client, auth = scope["client"], scope.get(AUTH)
        host, peer = (None, "unknown:") if client is None else (client[0], peer_of(*client))
        return cls(host, peer, INSECURE if auth is None else auth)


class WholeRequest(Protocol):
    """One request. Its body is empty until it has arrived, which is after the door was asked."""

    verb: str
    path: str
    """Percent-encoded, as the client sent it."""
    query: bytes
    body: bytes
    client: Client
    authority: bytes | None
    """The host that a trusted proxy reports; None if none does."""
    amend: Callable[[Headers], Headers] | None
    """Returns the headers of the response as they are sent; None if they are sent as the call gave them."""
    begun: bool
    """Whether the response is written."""
    trails: bool
    """Whether the response can have trailers, as over HTTP/2."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """In the client's order; names are in lower case."""

    @property
    def fields(self) -> Mapping[bytes, bytes]:
        """The headers by name, with the last value of repeated ones."""

    def answer(self, reply: Reply, trailers: Headers | None = None) -> None:
        """Writes the whole response, unless the client has left; `trailers` only if it `trails`."""

    async def gone(self) -> None:
        """Returns when the client has left."""


Serve: TypeAlias = "Callable[[], Coroutine[Any, Any, None]]"
Door: TypeAlias = "Callable[[WholeRequest], Serve | None]"
"""Returns what serves the request once its body has arrived, or None if it has to go through ASGI."""
