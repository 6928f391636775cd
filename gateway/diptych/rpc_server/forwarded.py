"""The client behind trusted proxies on the gRPC port, from the metadata that a proxy sets.

Of a call it knows only the context; the header's grammar is in `diptych.forwarded`.
"""

from __future__ import annotations

from typing import Any

from ..forwarded import Proxies
from ..origin import peer_of


class ForwardedContext:
    """Wraps a context so that it has another peer."""

    __slots__ = ("_context", "_peer")

    def __init__(self, context: Any, peer: str) -> None:
        self._context, self._peer = context, peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def peer(self) -> str:
        return self._peer


def behind(context: Any, proxies: Proxies) -> Any:
    """Returns the context with the peer that trusted proxies name."""
    metadata = context.invocation_metadata() or ()
    values = [value for key, value in metadata if key == proxies.header]
    if not values:
        return context
    found = proxies.client(_host(context.peer()), values)
    return context if found is None else ForwardedContext(context, peer_of(found.host, found.port))


def _host(peer: str) -> str:
    """Returns `192.0.2.1` for `ipv4:192.0.2.1:4711`, `::1` for `ipv6:%5B::1%5D:4711`."""
    kind, _, rest = peer.partition(":")
    host = rest.rpartition(":")[0]
    return host.removeprefix("%5B").removesuffix("%5D") if kind == "ipv6" else host
