"""Reads the address of a server: gRPC's own targets, and URLs that say whether TLS is used. Opens no connection.

Both transports and `artificer.grpc` read addresses and secrets by it, so that it imports neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

_PLAIN, _SECURE = ("http", "grpc"), ("https", "grpcs")
_GRPC = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:", "xds:")
_FORMS = (
    "host:port, https://host:port for TLS, http://host:port without TLS, or a gRPC target as ipv4:host:port,host:port"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a channel connects to: `name` is what gRPC resolves."""

    name: str
    tls: bool | None = None
    """Whether the address says that TLS is used; None if it does not say."""

    @property
    def is_local(self) -> bool:
        """Whether every address is on this machine, so that what is sent does not pass a network."""
        scheme, _, rest = self.name.partition(":")
        if scheme in ("unix", "unix-abstract"):
            return True
        if scheme in ("ipv4", "ipv6"):
            return all(_is_loopback(address) for address in rest.split(","))
        # dns:///host:port, and dns://server/host:port with the DNS server to ask
        return _is_loopback(self._place)

    @property
    def authority(self) -> str | None:
        """The `:authority` of calls; None leaves it to gRPC, which sends a list of addresses as it stands."""
        scheme, _, rest = self.name.partition(":")
        return rest.partition(",")[0] if scheme in ("ipv4", "ipv6") and "," in rest else None

    @property
    def is_localhost(self) -> bool:
        """Whether it is one server by its name, which has an address of IPv4 and one of IPv6."""
        return self._place.removeprefix("dns:").partition(":")[0] == "localhost"

    @property
    def _place(self) -> str:
        return self.name.rpartition("/")[2] if self.name.startswith("dns:") else self.name


def parse_target(address: str) -> Target:
    """Returns the target of an address. Raises ValueError for a malformed one, and for one with credentials."""
    scheme, separator, rest = address.rpartition("://")
    if "@" in rest:
        raise ValueError("an address must not contain credentials: set `api_key` or `token`")
    if separator and scheme.lower() in _PLAIN + _SECURE:
        target = Target(rest.removesuffix("/"), tls=scheme.lower() in _SECURE)
    else:
        target = Target(address)
    is_resolved = target.tls is None and (separator or address.startswith(_GRPC))
    if not rest or not _is_plain(address) or not (is_resolved or is_place(target.name)):
        raise ValueError(f"invalid address {address!r}; expected {_FORMS}")
    return target


def is_place(place: str) -> bool:
    """Whether it is a host or an IP address, with or without a port."""
    try:
        found = urlsplit(f"//{place}")
        if found.hostname and found.netloc == place and _is_plain(place) and "\\" not in place:
            return found.port is None or found.port > 0
    except ValueError:
        pass
    try:
        return ip_address(place).version == 6  # which gRPC takes without brackets
    except ValueError:
        return False


def check_secret(name: str, secret: str) -> None:
    """Raises ValueError, which does not contain the secret, for one that metadata cannot carry."""
    if not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise ValueError(f"`{name}` contains spaces, control characters or non-ASCII characters")


def _is_plain(text: str) -> bool:
    return text.isprintable() and not any(one.isspace() for one in text)


def _is_loopback(place: str) -> bool:
    place = place.removeprefix("dns:")
    try:
        host = urlsplit(f"//{place}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
