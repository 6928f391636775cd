"""What both listeners show as their certificate, and what they ask of clients' ones."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from .table import SettingsTable


class TlsSettings(SettingsTable):
    """TLS of both listeners."""

    tls_certificate: Path | None = None
    """The certificate chain both listeners show, PEM; without it they speak plain text."""
    tls_key: Path | None = None
    """The certificate's private key, PEM, without a passphrase."""
    tls_client_ca: Path | None = None
    """The authorities whose clients' certificates are taken, PEM, one after another."""
    tls_client_auth: Literal["none", "optional", "required"] = "none"
    """Whether clients are asked for a certificate, and let in without one; the grpcio engine has no `optional`."""
    tls_minimum: Literal["1.2", "1.3"] = "1.2"
    """The lowest version of TLS that is accepted; the grpcio engine cannot refuse 1.2."""
    tls_reload_seconds: float = Field(default=5.0, ge=0)
    """How often the files are looked at for new ones, which new connections then get; 0 waits for SIGHUP."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set both or neither")
        if (self.tls_client_auth != "none") != (self.tls_client_ca is not None):
            raise ValueError("tls_client_ca and a tls_client_auth of optional or required are set both or neither")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError(
                "tls_client_ca needs tls_certificate and tls_key: without TLS no client shows a certificate"
            )
        return self

    @property
    def tls(self) -> tuple[str, str] | None:
        """The paths of certificate and key, or None where plain text is spoken."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return str(self.tls_certificate), str(self.tls_key)
