"""Where a gateway is, and who asks it: the address, TLS, and the credentials that go with every call.

Knows no command and reads no environment. A secret stands in no message and in no repr.
"""

from __future__ import annotations

import ssl
from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc

from .errors import Unreachable, Usage

_PLAIN, _SECURE = ("http", "grpc"), ("https", "grpcs")
_FORMS = "host:port, https://host:port for TLS, http://host:port without"

Options = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who asks, and whom they trust. `key` None: it is in the file of `cert`. Raises Usage for what cannot be sent."""

    token: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.token and self.api_key:
            raise Usage("a token and an API key are two ways to say who asks: give one of them")
        if not all(one.isascii() and one.isprintable() and " " not in one for one in self.secrets):
            raise Usage("the token or API key holds characters that none has")
        if self.key and not self.cert:
            raise Usage("--key is of a certificate: --cert names it")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be shown nowhere."""
        return tuple(filter(None, (self.token, self.api_key)))

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        if self.token:
            return (("authorization", f"Bearer {self.token}"),)
        return (("x-api-key", self.api_key),) if self.api_key else ()

    @property
    def told(self) -> bool:
        """Whether anything says who asks."""
        return bool(self.secrets or self.cert)

    @property
    def wants_tls(self) -> bool:
        """Whether an address that does not say is reached by TLS."""
        return bool(self.tls or self.ca or self.cert)


def channel(address: str, access: Access, options: Options) -> grpc.Channel:
    """A channel to a gateway. Raises Usage, Unreachable for what is no address, OSError for a missing file."""
    scheme, _, rest = address.rpartition("://")
    if "@" in rest:
        raise Usage("an address holds no credentials: --token and --api-key do, or their variables")
    if scheme:
        rest = rest.removesuffix("/")
    if not rest or (scheme and (scheme not in _PLAIN + _SECURE or "/" in rest)):
        raise Unreachable(f"{address} is no address of a gateway: {_FORMS}")
    if scheme in _PLAIN and access.wants_tls:
        raise Usage(f"{address} is without TLS, and --tls, --ca and --cert are of TLS")
    if scheme in _SECURE or (not scheme and access.wants_tls):
        opened = grpc.secure_channel(rest, _tls(access), options=options)
    else:
        if access.metadata and not scheme and not _is_here(rest):
            raise Usage(
                f"credentials would go to {rest} in plain text: say https://{rest}, or http://{rest} to have it so"
            )
        opened = grpc.insecure_channel(rest, options=options)
    return grpc.intercept_channel(opened, _Sent(access.metadata)) if access.metadata else opened


def _is_here(place: str) -> bool:
    """Whether what is sent there stays on this machine."""
    if place.startswith("unix:"):
        return True
    try:
        host = urlsplit(f"//{place}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(access: Access) -> grpc.ChannelCredentials:
    # gRPC tells of files that are no good only once it connects, and not which.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if access.ca:
        _checked(f"--ca {access.ca} has no certificate in PEM", lambda: context.load_verify_locations(access.ca))
    key = access.key or access.cert
    if access.cert:
        told = f"--cert {access.cert} and its key {key} are no pair in PEM, or the key asks for a password"
        _checked(told, lambda: context.load_cert_chain(str(access.cert), key, password=lambda: ""))
    return grpc.ssl_channel_credentials(
        root_certificates=access.ca.read_bytes() if access.ca else None,
        private_key=key.read_bytes() if key else None,
        certificate_chain=access.cert.read_bytes() if access.cert else None,
    )


def _checked(told: str, load: Any) -> None:
    try:
        load()
    except ssl.SSLError:
        raise Usage(told) from None


_Details = namedtuple("_Details", ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression"))


class _Call(_Details, grpc.ClientCallDetails):
    """A call's details, which an interceptor may not change in place."""


class _Sent(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Sends metadata with every call, over TLS or not: gRPC's own call credentials want TLS on loopback too."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    def _go_on(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = (*(details.metadata or ()), *self._metadata)
        call = _Call(
            details.method,
            details.timeout,
            metadata,
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
        return continuation(call, request)

    # All four are alike; Any, since no one signature is all of theirs.
    intercept_unary_unary: Any = _go_on
    intercept_unary_stream: Any = _go_on
    intercept_stream_unary: Any = _go_on
    intercept_stream_stream: Any = _go_on
