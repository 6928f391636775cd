"""Settings of TLS: the server's certificate, and the verification of clients' certificates."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from .table import Need, SettingsTable


class TlsSettings(SettingsTable):
    """TLS of both listeners."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("tls_minimum", "tls_certificate", "tls_certificate"),)

    tls_certificate: Path | None = None
    """The certificate chain of both listeners, PEM; without it they use plain text."""
    tls_key: Path | None = None
    """The certificate's private key, PEM, without a passphrase."""
    tls_client_ca: Path | None = None
    """Certificate authorities that client certificates are verified against, and clients' own self-signed certificates,
    which the grpcio engine does not accept; a PEM file."""
    tls_client_auth: Literal["none", "optional", "required"] = "none"
    """Whether clients may or must present a certificate; the grpcio engine has no `optional`."""
    tls_minimum: Literal["1.2", "1.3"] = "1.2"
    """The lowest version of TLS that is accepted; the grpcio engine cannot refuse 1.2."""
    tls_reload_seconds: float = Field(default=5.0, ge=0)
    """How often the files are checked for changes, which apply to new connections; 0 reloads on SIGHUP only."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key need each other; set both or neither")
        if (self.tls_client_auth != "none") != (self.tls_client_ca is not None):
            raise ValueError("tls_client_ca and a tls_client_auth of optional or required need each other")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key: only TLS carries client certificates")
        return self

    @property
    def tls(self) -> tuple[str, str] | None:
        """The paths of certificate and key; None without TLS."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return str(self.tls_certificate), str(self.tls_key)
