"""One reading of the certificate, its key and the authorities of clients, proven to fit together.

It knows no time: when to read again is the keeper's business.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from ..settings import Settings
from .context import Context

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

Signature = tuple[tuple[int, int, int], ...]
"""What changes with files that are written anew, or that another name takes the place of."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What new connections are served with."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    context: Context
    """The same for Python's TLS. One that is shown no more resumes no sessions: who was taken by old authorities, and
    would not be by the new ones, has to show a certificate again."""
    signature: Signature

    def __repr__(self) -> str:
        return f"Material(signature={self.signature})"  # a key is for no log


def paths(settings: Settings) -> list[Path]:
    """The files in question, none where plain text is spoken."""
    named = (settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    return [path for path in named if path is not None]


def signature(files: list[Path]) -> Signature:
    """Raises OSError where one cannot be seen."""
    found = [path.stat() for path in files]
    return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


def read(settings: Settings) -> Material:
    """Read and prove the files.

    Raises OSError, naming the files, where one cannot be read, is no PEM, or they do not belong together.
    """
    certificate, key, authorities = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if certificate is None or key is None:
        raise ValueError("without tls_certificate and tls_key there is no TLS")
    try:
        before = signature(paths(settings))
        chain, secret = certificate.read_bytes(), key.read_bytes()
        context = _context(settings, certificate, key)
    except OSError as wrong:
        reason = getattr(wrong, "reason", None) or wrong.strerror or str(wrong)
        raise OSError(f"cannot use tls_certificate {certificate} with tls_key {key}: {reason}") from None
    known = None if authorities is None else _trust(context, authorities)
    if signature(paths(settings)) != before:
        raise OSError(f"tls_certificate {certificate} and what belongs to it are being written")
    return Material(certificate=chain, key=secret, client_ca=known, context=context, signature=before)


def _context(settings: Settings, certificate: Path, key: Path) -> Context:
    made = Context.of()
    made.minimum_version = _VERSIONS[settings.tls_minimum]
    made.verify_mode = _MODES[settings.tls_client_auth]
    made.set_alpn_protocols(["h2", "http/1.1"])
    made.load_cert_chain(certificate, key, password="")  # without one, OpenSSL would ask at the terminal
    return made


def _trust(context: Context, authorities: Path) -> bytes:
    try:
        known = authorities.read_bytes()
        context.load_verify_locations(cadata=known.decode("ascii"))
    except (OSError, ValueError) as wrong:
        reason = getattr(wrong, "reason", None) or getattr(wrong, "strerror", None) or wrong
        raise OSError(f"cannot use tls_client_ca {authorities}: {reason}") from None
    if not context.get_ca_certs():
        raise OSError(f"cannot use tls_client_ca {authorities}: there is no authority's certificate in it")
    return known
