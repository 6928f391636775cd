"""Reads the certificate, its key and the client authorities, and checks that they belong together.

It knows no time: the reloader decides when to read again.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from ..settings import Settings
from .context import ServerContext

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

Signature = tuple[tuple[int, int, int], ...]
"""Inode, modification time and size of each file; changes when files are rewritten or replaced."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The TLS configuration of new connections."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    """The authorities for grpcio, PEM, without certificates that are none: its core would also accept a certificate
    that the key of such a one signed."""
    context: ServerContext
    """For the HTTP port. Each reload has a new context, so that sessions of the old one cannot be resumed and clients
    must present a certificate to the new authorities."""
    grpc_context: ServerContext
    """For the gRPC port. It is separate, since a context counts the handshakes of one listener."""
    signature: Signature

    def __repr__(self) -> str:
        return f"Material(signature={self.signature})"  # a private key must not be logged


def signature(settings: Settings) -> Signature:
    """Returns the signature of the configured files. Raises OSError, naming the file, if one is inaccessible."""
    found = []
    for name in ("tls_certificate", "tls_key", "tls_client_ca"):
        path: Path | None = getattr(settings, name)
        if path is not None:
            try:
                one = path.stat()
            except OSError as wrong:
                raise _unusable(f"{name} {path}", wrong) from None
            found.append((one.st_ino, one.st_mtime_ns, one.st_size))
    return tuple(found)


def read(settings: Settings) -> Material:
    """Reads and checks the files.

    Raises OSError, naming the files, if one cannot be read or is not PEM, or if they do not belong together.
    """
    certificate, key, authorities = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if certificate is None or key is None:
        raise ValueError("TLS needs tls_certificate and tls_key")
    before = signature(settings)
    try:
        chain, secret = certificate.read_bytes(), key.read_bytes()
        context = _context(settings, certificate, key, ["h2", "http/1.1"])
        # RFC 9113 section 3.2: only h2 is offered; a client without ALPN still connects.
        grpc_context = _context(settings, certificate, key, ["h2"])
    except OSError as wrong:
        raise _unusable(f"tls_certificate {certificate} with tls_key {key}", wrong) from None
    known = None
    if authorities is not None:
        only_authorities = settings.engine == "grpcio"
        known = _trust(context, authorities, only_authorities=only_authorities)
        _trust(grpc_context, authorities, only_authorities=only_authorities)
    if signature(settings) != before:
        raise OSError(f"tls_certificate {certificate} or a file that belongs to it is being written")
    return Material(
        certificate=chain,
        key=secret,
        client_ca=known,
        context=context,
        grpc_context=grpc_context,
        signature=before,
    )


def _context(settings: Settings, certificate: Path, key: Path, protocols: list[str]) -> ServerContext:
    context = ServerContext.of()
    context.minimum_version = _VERSIONS[settings.tls_minimum]
    context.verify_mode = _MODES[settings.tls_client_auth]
    context.set_alpn_protocols(protocols)
    context.load_cert_chain(certificate, key, password="")  # without one, OpenSSL would ask at the terminal
    return context


def _trust(context: ServerContext, authorities: Path, *, only_authorities: bool) -> bytes:
    """Adds the certificates of a file; returns those of authorities."""
    try:
        known = authorities.read_bytes()
        context.load_verify_locations(cadata=known.decode("ascii"))
        found = context.get_ca_certs(binary_form=True)
        usable = bool(found) or (not only_authorities and _any_self_signed(known))
    except (OSError, ValueError) as wrong:
        raise _unusable(f"tls_client_ca {authorities}", wrong) from None
    if not usable:
        missing = "no CA certificate" if only_authorities else "no CA certificate and no self-signed one"
        raise OSError(f"cannot use tls_client_ca {authorities}: it has {missing}")
    return "".join([ssl.DER_cert_to_PEM_cert(one) for one in found]).encode()


def _any_self_signed(certificates: bytes) -> bool:
    """Whether any certificate is self-signed. OpenSSL accepts it from clients, but no certificate signed by its key."""
    from cryptography import x509  # an extra, which need not be installed

    return any(one.subject == one.issuer for one in x509.load_pem_x509_certificates(certificates))


def _unusable(what: str, wrong: Exception) -> OSError:
    reason = getattr(wrong, "reason", None) or getattr(wrong, "strerror", None) or wrong
    return OSError(f"cannot use {what}: {reason}")
