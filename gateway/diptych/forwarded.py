"""Finds the client's address behind proxies: the rightmost reported address that is not a trusted proxy's.

It knows no request: it takes a direct peer and the values of a header, and returns an address. The header is RFC 7239's
`forwarded` or its predecessor `x-forwarded-for`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

# RFC 3986 section 3.3, without an empty first segment: "//host" would be another host.
_PREFIX = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)+")

_Address = IPv4Address | IPv6Address


class Client(NamedTuple):
    """The client that sent a request, as far as trusted proxies report it."""

    host: str
    port: int
    """0 if no proxy reported it."""
    scheme: str
    """`http` or `https`; empty if no proxy reported it."""


class Proxies:
    """The trusted proxies."""

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network], header: str) -> None:
        self._networks, self.header = tuple(networks), header
        """The name of the header to read."""

    def __bool__(self) -> bool:
        return bool(self._networks)

    def client(self, peer: str, values: Sequence[str], schemes: Sequence[str] = ()) -> Client | None:
        """Returns the client, as reported by the direct peer; None if it is the peer itself.

        `values` are the header's values in order, `schemes` those of `x-forwarded-proto`.
        """
        direct = _parsed(peer)
        if direct is None or not self._trusts(direct):
            return None
        found: Client | None = None
        for host, scheme in reversed(self._hops(values, schemes)):
            address, port = _address(host)
            if address is None:
                break  # obfuscated (RFC 7239 section 6.3) or malformed: the hop that reported it is the last known one
            found = Client(str(address), port, scheme)
            if not self._trusts(address):
                break
        return found

    def authority(self, peer: str, values: Sequence[str], hosts: Sequence[str]) -> str | None:
        """Returns the host that a client named, as the direct peer reports it; None if it does not.

        `values` are those of the header, `hosts` those of `x-forwarded-host`, of which the peer added the last.
        """
        direct = _parsed(peer)
        if direct is None or not self._trusts(direct):
            return None
        if self.header == "forwarded":
            hosts = [_pairs(element).get("host", "") for value in values for element in _split(value, ",")]
        return hosts[-1].rpartition(",")[2].strip() or None if hosts else None

    def prefix(self, peer: str, prefixes: Sequence[str]) -> str:
        """Returns the prefix that the direct peer has removed from the path, as it reports it; "" if it does not.

        `prefixes` are the values of `x-forwarded-prefix`, of which the peer added the last.
        """
        direct = _parsed(peer)
        if direct is None or not prefixes or not self._trusts(direct):
            return ""
        last = prefixes[-1].rpartition(",")[2].strip().rstrip("/")
        return last if _PREFIX.fullmatch(last) else ""

    def _trusts(self, address: _Address) -> bool:
        return any(address.version == one.version and address in one for one in self._networks)

    def _hops(self, values: Sequence[str], schemes: Sequence[str]) -> list[tuple[str, str]]:
        if self.header == "forwarded":
            return [_element(element) for value in values for element in _split(value, ",")]
        last = _scheme(schemes[-1].rpartition(",")[2]) if schemes else ""
        return [(hop.strip(), last) for value in values for hop in value.split(",")]


def _parsed(host: str) -> _Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    # A dual-stack listener sees IPv4 clients as IPv4-mapped addresses.
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _address(hop: str) -> tuple[_Address | None, int]:
    """Parses `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`."""
    host, port = hop, ""
    if hop.startswith("["):
        host, _, port = hop[1:].partition("]")
        port = port.removeprefix(":")
    elif hop.count(":") == 1:
        host, _, port = hop.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    return _parsed(host), number if number <= 65535 else 0


def _element(element: str) -> tuple[str, str]:
    """Parses one hop of RFC 7239."""
    pairs = _pairs(element)
    return pairs.get("for", ""), _scheme(pairs.get("proto", ""))


def _pairs(element: str) -> dict[str, str]:
    """Parses the pairs of a hop, which semicolons separate."""
    pairs = {}
    for pair in _split(element, ";"):
        name, _, value = pair.partition("=")
        pairs[name.strip().lower()] = value.strip().strip('"')
    return pairs


def _scheme(text: str) -> str:
    found = text.strip().lower()
    return found if found in ("http", "https") else ""


def _split(text: str, at: str) -> Iterable[str]:
    """Splits at separators outside quoted strings."""
    begun, quoted = 0, False
    for place, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == at and not quoted:
            yield text[begun:place]
            begun = place + 1
    yield text[begun:]
