"""Settings of the listeners: time-outs for slow clients, the number of connections, and trusted proxies."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from .table import Need, SettingsTable

Network = IPv4Network | IPv6Network


def _listed(value: Any) -> Any:
    """Splits comma-separated text, as environment variables and flags have it."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""A list of texts, or one comma-separated text."""


def _host(text: str) -> str:
    """Raises ValueError for a text that is no host."""
    if not _HOST.fullmatch(text):
        raise ValueError("expected hosts such as example.com, *.example.com or [::1], or * for any")
    return text


_HOST = re.compile(r"\*|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?")
Host = Annotated[str, AfterValidator(_host)]


def _origin(text: str) -> str:
    """Raises ValueError for a text that no browser sends as an Origin."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError("expected origins such as https://example.com, without a path, or * for any")
    return text


_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@]+")
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_listed)]


class ListeningSettings(SettingsTable):
    """Time-outs, limits and proxies of the listeners."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("proxy_header", "trusted_proxies", "trusted_proxies"),)

    handshake_seconds: float = Field(default=10.0, gt=0)
    """How long a client may take for its TLS handshake, on either port."""
    header_seconds: float = Field(default=20.0, gt=0)
    """How long a client may take to send a request's head, from its first byte; an HTTP/1.1 client then gets 408."""
    body_seconds: float = Field(default=30.0, gt=0)
    """How long a client may pause within the body of a unary request, or within one message of a stream of which more
    than 64 KiB have arrived; it then gets 408."""
    body_bytes_per_second: float = Field(default=500.0, ge=0)
    """Minimum rate of such a body or message, in bytes per second; 0 sets none. It is measured over `body_seconds`:
    what arrived earlier does not count."""
    body_max_seconds: float | None = Field(default=600.0, gt=0)
    """Raises that minimum for large bodies: their size, as declared or as far as it has arrived, divided by this. So a
    body of 60 MB must arrive at 100 kB per second. None: the minimum is the same for every size."""
    keep_alive_seconds: float = Field(default=75.0, gt=0)
    """How long an idle HTTP connection stays open."""
    send_seconds: float | None = Field(default=60.0, gt=0)
    """How long a client may take nothing of a response, a stream's too, that waits to be sent: then the call is
    cancelled, and the HTTP/2 stream reset or the connection closed. None: for ever, which holds a stream's servicer."""
    max_connections: int | None = Field(default=None, gt=0)
    """Maximum open connections of both ports together, handshakes included; further ones get 503. None: as many as fit
    into an eighth of the memory at 64 KiB each, divided by `workers`, and into three quarters of the file
    descriptors."""

    max_connection_age_seconds: float | None = Field(default=None, gt=0)
    """How long a client may use one connection, on either port, give or take a tenth. Then HTTP/2 gets GOAWAY and
    HTTP/1.1 `connection: close` with the next response, so that clients connect again, perhaps to another process or
    machine; no call fails. WebSockets are not ended. None sets no limit."""
    max_connection_age_grace_seconds: float | None = Field(default=None, gt=0)
    """How long running calls may continue after that before their connection is closed. None sets no limit."""

    allowed_hosts: Annotated[tuple[Host, ...], BeforeValidator(_listed)] | None = None
    """Hosts that requests on the HTTP port may name, such as `api.example.com` or `*.example.com`, with any port;
    others get 400. `*` allows any. None: this machine's own names if `http_host` is loopback, else any."""
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_listed)] = ()
    """Addresses and networks of proxies that are trusted to report the client's address, such as `10.0.0.0/8`."""
    proxy_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The header those proxies append the client's address to. The other header is ignored: clients may send it."""
