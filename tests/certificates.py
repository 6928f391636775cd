"""A certificate authority for tests, and files with a gateway's certificate and those of clients."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
from pathlib import Path
from typing import Any

import grpc
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID


class Shown:
    """A certificate with its chain and its key, as bytes and in files."""

    def __init__(self, folder: Path, name: str, chain: bytes, key: bytes) -> None:
        self.chain, self.key = chain, key
        self.certificate_file, self.key_file = folder / f"{name}.pem", folder / f"{name}.key"
        self.write(chain, key)

    def write(self, chain: bytes, key: bytes) -> None:
        """Replaces the files with those of another certificate, each atomically."""
        for path, data in ((self.certificate_file, chain), (self.key_file, key)):
            beside = path.with_suffix(".new")
            beside.write_bytes(data)
            os.replace(beside, path)


class Authority:
    """A certificate authority; `client` and `channel` make clients that trust it."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder, self._authority = folder, trustme.CA(organization_name=f"tests, {name}")
        self.pem = self._authority.cert_pem.bytes()
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.pem)

    def shown(self, name: str = "localhost") -> Shown:
        """Returns a certificate for the server `localhost` in the file `name`."""
        return self._issued(name, self._authority.issue_cert("localhost", "127.0.0.1"))

    def client(self, name: str) -> Shown:
        """Returns a client certificate with one name, signed by an intermediate authority."""
        return self._issued(name, self._authority.create_child_ca().issue_cert(name, common_name=name))

    def _issued(self, name: str, leaf: trustme.LeafCert) -> Shown:
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        return Shown(self._folder, name, chain, leaf.private_key_pem.bytes())

    def named(self, name: str, subject: x509.Name, *others: x509.GeneralName) -> Shown:
        """Returns a client certificate with exactly this subject and these alternative names."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(x509.load_pem_x509_certificate(self.pem).subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        if others:
            made = made.add_extension(x509.SubjectAlternativeName(others), critical=False)
        signer: Any = load_pem_private_key(self._authority.private_key_pem.bytes(), None)
        chain = made.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Shown(self._folder, name, chain, secret)

    def trusting(self, shown: Shown | None = None, *protocols: str) -> ssl.SSLContext:
        """Returns a context for Python's clients, which present `shown` and offer `protocols` by ALPN."""
        context = ssl.create_default_context(cadata=self.pem.decode())
        if shown is not None:
            context.load_cert_chain(shown.certificate_file, shown.key_file)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def channel(self, port: int, shown: Shown | None = None) -> grpc.aio.Channel:
        """Returns a channel of grpcio."""
        pair = (None, None) if shown is None else (shown.key, shown.chain)
        credentials = grpc.ssl_channel_credentials(self.pem, *pair)
        # Each channel gets a distinct option, because grpcio shares connections between equal channels.
        return grpc.aio.secure_channel(
            f"localhost:{port}", credentials, options=[("grpc.use_local_subchannel_pool", 1)]
        )


def self_signed(folder: Path) -> tuple[Shown, Shown, Shown]:
    """Returns two self-signed certificates that are no authorities, and one that the first one's key signed."""
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("trusted", "another", "signed")}
    now = datetime.datetime.now(datetime.UTC)

    def issued(name: str, issuer: str) -> Shown:
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(keys[name].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        chain = made.sign(keys[issuer], hashes.SHA256()).public_bytes(Encoding.PEM)
        return Shown(folder, name, chain, keys[name].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    return issued("trusted", "trusted"), issued("another", "another"), issued("signed", "trusted")


def settings(shown: Shown, **others: Any) -> dict[str, Any]:
    """Returns the settings with which a gateway presents the certificate."""
    return {"tls_certificate": shown.certificate_file, "tls_key": shown.key_file, **others}


COOK = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "AT"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Kü, "chen" + <Co>; #1'),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "#Ops "),
        x509.NameAttribute(NameOID.SURNAME, "Koch"),
        x509.NameAttribute(NameOID.COMMON_NAME, "cook"),
        x509.NameAttribute(NameOID.COMMON_NAME, "chef"),
    ]
)
"""A subject with every character that must be escaped, and two common names."""

COOKS_NAMES = (
    x509.DNSName("a.example"),
    x509.DNSName("b.example"),
    x509.UniformResourceIdentifier("spiffe://example/cook"),
    x509.RFC822Name("cook@example.com"),
    x509.IPAddress(ipaddress.ip_address("10.1.2.3")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    x509.DirectoryName(COOK),
)
"""One alternative name of every kind."""
