"""TLS and the secrets of calls. No message and no repr contains a secret.

Keys and tokens travel as metadata, since gRPC's call credentials require TLS even on loopback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from .._target import Target, check_secret
from .._tls import check_files

Token = str | Callable[[], str]
"""A token, or a function that returns the current one: it is called for each call and must return at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who the client is, and which servers it trusts. Raises ValueError for what cannot be used.

    Only one of `api_key` and `token` may be given.
    """

    api_key: str = field(default="", repr=False)
    token: Token = field(default="", repr=False)
    tls: bool = False
    """Uses TLS if the address does not say; so do `ca`, `cert` and `channel_credentials`."""
    ca: Path | str | None = None
    """A PEM file with the authorities that sign servers' certificates; None trusts those that come with gRPC."""
    cert: Path | str | None = None
    """A PEM file with the client's certificate (mTLS), with its key if `key` is None."""
    key: Path | str | None = None
    server_name: str | None = None
    """The name in the server's certificate, if it is not the host of the address."""
    channel_credentials: grpc.ChannelCredentials | None = None
    """gRPC's own credentials, instead of `ca`, `cert` and `key`."""
    allow_insecure: bool = False
    """Sends the key or token without TLS to a host that is not loopback."""

    def __post_init__(self) -> None:
        if self.token and self.api_key:
            raise ValueError("`token` and `api_key` exclude each other: set only one of them")
        for name, secret in (("api_key", self.api_key), ("token", self.token)):
            if isinstance(secret, str):
                check_secret(name, secret)
        if self.key and not self.cert:
            raise ValueError("`key` requires `cert`, its certificate")
        if self.channel_credentials and (self.ca or self.cert):
            raise ValueError("`channel_credentials` excludes `ca` and `cert`")

    @property
    def _wants_tls(self) -> bool:
        return bool(self.tls or self.ca or self.cert or self.channel_credentials)

    def for_target(self, target: Target) -> grpc.ChannelCredentials | None:
        """Returns what a channel to `target` uses; None without TLS.

        Raises ValueError for a conflict with the address, for a secret that would be sent in plain text, and for
        unusable files; OSError for missing ones.
        """
        if target.tls is False and self._wants_tls:
            raise ValueError(
                f"http://{target.name} excludes TLS, which `tls`, `ca`, `cert` and `channel_credentials` require"
            )
        if target.tls or self._wants_tls:
            return self.channel_credentials or _tls(self.ca, self.cert, self.key)
        if (self.api_key or self.token) and not target.is_local and not self.allow_insecure:
            raise ValueError(
                f"the key or token would be sent to {target.name} in plain text; "
                f"use https://{target.name}, or set allow_insecure=True"
            )
        return None


def _tls(ca: Path | str | None, cert: Path | str | None, key: Path | str | None) -> grpc.ChannelCredentials:
    # gRPC reports unusable files only when it connects, and does not say which.
    check_files(ca, cert, key)
    key = key or cert
    return grpc.ssl_channel_credentials(
        root_certificates=Path(ca).read_bytes() if ca else None,
        private_key=Path(key).read_bytes() if key else None,
        certificate_chain=Path(cert).read_bytes() if cert else None,
    )
