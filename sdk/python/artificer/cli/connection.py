"""Which gateway a command calls, by which transport and with which credentials: options become a client.

Knows no command. No message and no repr contains a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Usage

if TYPE_CHECKING:
    from artificer import Artificer

    from .._options import CallRecord

# An address by which the caller says that plain text is meant; http:// says so for gRPC only, since REST has no other.
_PLAIN = ("grpc://", "http://")
_FORMS = "https://host:port or http://host:port for REST; host:port, grpcs://host:port or grpc://host:port for gRPC"


class TransportKind(StrEnum):
    """The transports."""

    REST = "rest"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The options of a connection. `server` may be of either transport; empty means the SDK's default."""

    server: str = ""
    transport: TransportKind = TransportKind.GRPC
    token: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    allow_insecure: bool = False

    @classmethod
    def of(cls, server: str, transport: TransportKind | None, address: str = "", **access: Any) -> Connection:
        """Returns the connection to `server`, or to the gRPC `address`. Raises Usage for a malformed one."""
        scheme, separator, _ = (server or address).rpartition("://")
        if separator and scheme not in ("http", "https", "grpc", "grpcs"):
            raise Usage(f"invalid server '{server or address}'; expected {_FORMS}")
        if address or (server and not scheme.startswith("http")):
            kind = transport or TransportKind.GRPC
        elif server:
            kind = transport or TransportKind.REST
        else:
            kind = transport or _default_transport(os.environ)
        if kind is TransportKind.REST and scheme.startswith("grpc"):
            raise Usage(f"{server or address} is an address for gRPC, but the transport is rest")
        return cls(server=server or address, transport=kind, **access)

    @property
    def address(self) -> str:
        """The address, for messages."""
        from .._options import DEFAULT_BASE_URL, DEFAULT_TARGET

        if self.transport is TransportKind.REST:
            return self.server or os.environ.get("ARTIFICER_BASE_URL") or DEFAULT_BASE_URL
        return self.server or os.environ.get("ARTIFICER_TARGET") or DEFAULT_TARGET

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no output may contain."""
        return tuple(filter(None, (self.token, self.api_key)))

    @property
    def has_credentials(self) -> bool:
        """Whether there are any credentials."""
        return bool(self.secrets or self.cert)

    def client(self, on_call: Callable[[CallRecord], None]) -> Artificer:
        """Returns a client. Raises Usage for options that cannot be used, OSError for a missing file."""
        from artificer import Artificer

        server = self._server()
        rest = self.transport is TransportKind.REST
        # A host without a scheme, and http:// for REST, do not say that a secret may be sent in plain text.
        plain = self.transport is TransportKind.GRPC and self.server.startswith(_PLAIN)
        try:
            return Artificer(
                api_key=self.api_key,
                token=self.token,
                base_url=server if rest else "",
                target="" if rest else server,
                transport="rest" if rest else "grpc",
                ca=str(self.ca) if self.ca else None,
                cert=str(self.cert) if self.cert else None,
                key=str(self.key) if self.key else None,
                allow_insecure=self.allow_insecure or plain,
                on_call=on_call,
            )
        except ValueError as error:
            raise Usage(by_flags(str(error))) from None

    def _server(self) -> str:
        scheme, separator, place = self.server.rpartition("://")
        secure = self.tls or bool(self.ca or self.cert)
        if self.key and not self.cert:
            raise Usage("--key requires --cert, its certificate")
        if scheme in ("http", "grpc") and secure:
            raise Usage(f"{self.server} excludes TLS, but --tls, --ca or --cert requires it")
        if "@" in place:
            raise Usage("an address must not contain credentials: use --token or --api-key, or their variables")
        if separator or not place:
            return self.server
        if self.transport is TransportKind.REST:
            return f"{'https' if secure else 'http'}://{place}"
        return f"grpcs://{place}" if secure else place


def _default_transport(environment: Mapping[str, str]) -> TransportKind:
    only_rest = environment.get("ARTIFICER_BASE_URL") and not environment.get("ARTIFICER_TARGET")
    return TransportKind.REST if only_rest else TransportKind.GRPC


_FLAGS = {
    "`api_key`": "--api-key",
    "`token`": "--token",
    "`cert`": "--cert",
    "`key`": "--key",
    "`ca`": "--ca",
    "`tls`": "--tls",
    "cert: ": "--cert ",
    "ca: ": "--ca ",
    "set allow_insecure=True": "pass --allow-insecure",
    "allow_insecure=True": "--allow-insecure",
}


def by_flags(message: str) -> str:
    """Returns a message of the SDK with the names of the command's options."""
    for name, flag in _FLAGS.items():
        message = message.replace(name, flag)
    return message
