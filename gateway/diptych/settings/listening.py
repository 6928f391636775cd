"""What the HTTP listener bears with: how long it waits for slow clients, how many there may be, and which proxies it
believes.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .table import SettingsTable

Network = IPv4Network | IPv6Network


def _listed(value: Any) -> Any:
    """One, or several with commas between, as they stand in an environment variable or a flag."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""A list of texts without commas, or one text with commas between."""


class ListeningSettings(SettingsTable):
    """Time-outs, limits and proxies of the HTTP listener."""

    handshake_seconds: float = Field(default=10.0, gt=0)
    """How long a client may take for its TLS handshake, on either listener."""
    header_seconds: float = Field(default=20.0, gt=0)
    """How long a client may take for a request's head, from its first byte on; HTTP/1.1 is told 408 then."""
    body_seconds: float = Field(default=30.0, gt=0)
    """How long a client may be silent within the body of a request that is read whole; it is told 408 then."""
    body_bytes_per_second: float = Field(default=500.0, ge=0)
    """The least pace of such a body after its first `body_seconds`, in bytes a second; 0 asks for none."""
    keep_alive_seconds: float = Field(default=75.0, gt=0)
    """How long an HTTP connection is kept on which there is no request."""
    max_connections: int | None = Field(default=None, gt=0)
    """Most connections at once, of both ports, handshakes included; more get 503. None: as many as fit into an eighth
    of the memory at 64 KiB each, divided by `workers`, and into three quarters of the file descriptors."""

    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_listed)] = ()
    """Addresses and networks of proxies whose word for the client's address is taken, such as `10.0.0.0/8`."""
    proxy_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The header in which those proxies say it: the one they append to, since clients may send the other themselves."""
