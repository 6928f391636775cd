"""Opens the channel to a gateway, with its address, TLS and the credentials of every call.

Knows no command and reads no environment. No message and no repr contains a secret.
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
_FORMS = "host:port, https://host:port for TLS, or http://host:port without TLS"

Options = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The credentials and trusted certificates of a client. Raises Usage for unusable ones.

    The private key is in the file `cert` if `key` is None.
    """

    token: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.token and self.api_key:
            raise Usage("a token and an API key exclude each other: use only one of them")
        if not all(one.isascii() and one.isprintable() and " " not in one for one in self.secrets):
            raise Usage("the token or API key contains spaces, control characters or non-ASCII characters")
        if self.key and not self.cert:
            raise Usage("--key requires --cert, its certificate")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no output may contain."""
        return tuple(filter(None, (self.token, self.api_key)))

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of every call."""
        if self.token:
            return (("authorization", f"Bearer {self.token}"),)
        return (("x-api-key", self.api_key),) if self.api_key else ()

    @property
    def has_credentials(self) -> bool:
        """Whether there are any credentials."""
        return bool(self.secrets or self.cert)

    @property
    def wants_tls(self) -> bool:
        """Whether an address without a scheme means TLS."""
        return bool(self.tls or self.ca or self.cert)


def channel(address: str, access: Access, options: Options) -> grpc.Channel:
    """Returns a channel to a gateway. Raises Usage, Unreachable for a malformed address, OSError for a missing file."""
    scheme, _, rest = address.rpartition("://")
    if "@" in rest:
        raise Usage("an address must not contain credentials: use --token or --api-key, or their variables")
    if scheme:
        rest = rest.removesuffix("/")
    if not rest or (scheme and (scheme not in _PLAIN + _SECURE or "/" in rest)):
        raise Unreachable(f"invalid gateway address '{address}'; expected {_FORMS}")
    if scheme in _PLAIN and access.wants_tls:
        raise Usage(f"{address} excludes TLS, but --tls, --ca or --cert requires it")
    if scheme in _SECURE or (not scheme and access.wants_tls):
        opened = grpc.secure_channel(rest, _tls(access), options=options)
    else:
        if access.metadata and not scheme and not _is_local(rest):
            raise Usage(
                f"credentials would be sent to {rest} in plain text; use https://{rest}, or http://{rest} to allow it"
            )
        opened = grpc.insecure_channel(rest, options=options)
    return grpc.intercept_channel(opened, _MetadataInterceptor(access.metadata)) if access.metadata else opened


def _is_local(place: str) -> bool:
    """Whether an address is on this machine."""
    if place.startswith("unix:"):
        return True
    try:
        host = urlsplit(f"//{place}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(access: Access) -> grpc.ChannelCredentials:
    # gRPC reports unusable files only when it connects, and does not say which.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if access.ca:
        _checked(f"--ca {access.ca} contains no PEM certificate", lambda: context.load_verify_locations(access.ca))
    key = access.key or access.cert
    if access.cert:
        message = f"--cert {access.cert} and key {key} are not a PEM pair, or the key has a password"
        _checked(message, lambda: context.load_cert_chain(str(access.cert), key, password=lambda: ""))
    return grpc.ssl_channel_credentials(
        root_certificates=access.ca.read_bytes() if access.ca else None,
        private_key=key.read_bytes() if key else None,
        certificate_chain=access.cert.read_bytes() if access.cert else None,
    )


def _checked(message: str, load: Any) -> None:
    try:
        load()
    except ssl.SSLError:
        raise Usage(message) from None


_Details = namedtuple("_Details", ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression"))


class _Call(_Details, grpc.ClientCallDetails):
    """Changed details of a call; gRPC's own are immutable."""


class _MetadataInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds metadata to every call, with or without TLS: gRPC's call credentials require TLS even on loopback."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    def _intercept(self, continuation: Any, details: Any, request: Any) -> Any:
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

    # One implementation for all four kinds; Any, since their signatures differ.
    intercept_unary_unary: Any = _intercept
    intercept_unary_stream: Any = _intercept
    intercept_stream_unary: Any = _intercept
    intercept_stream_stream: Any = _intercept
