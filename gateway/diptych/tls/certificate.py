"""The properties of a client's certificate, under the names that gRPC's core uses.

It needs `cryptography`, an extra: `identity` imports this with the first certificate, and start-up checks for it.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

# RFC 2253 section 2.4, and control characters and what is not ASCII, as OpenSSL's XN_FLAG_RFC2253 escapes them.
_ESCAPED = re.compile(rb'[,+"\\<>;]|\A[# ]| \Z')
_HEXED = re.compile(rb"[\x00-\x1f\x7f-\xff]")
# OpenSSL's short names of subject attributes; others are shown by their OID.
_NAMES = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.GIVEN_NAME: "GN",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.STREET_ADDRESS: "street",
    NameOID.SURNAME: "SN",
    NameOID.TITLE: "title",
    NameOID.USER_ID: "UID",
}
_DER = 2  # _ssl.ENCODING_DER
_OTHER = b"other types of SAN"  # core's text for types of names that it does not show
_SPIFFE_BYTES, _TRUST_DOMAIN_BYTES = 2048, 255


def certified(shown: bytes, connection: ssl.SSLObject) -> dict[str, Sequence[bytes]]:
    """Returns the properties of a certificate in DER; none if it cannot be parsed."""
    with contextlib.suppress(ValueError):
        return _certified(x509.load_der_x509_certificate(shown), _chain(connection))
    return {}


def _certified(certificate: x509.Certificate, chain: bytes) -> dict[str, Sequence[bytes]]:
    found: dict[str, Sequence[bytes]] = {"x509_subject": [_subject(certificate.subject)]}
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    found["x509_common_name"] = [_bytes(common[0].value) if common else b""]  # core sets it even if it is empty
    found["x509_pem_cert"] = [certificate.public_bytes(Encoding.PEM)]
    found |= _alternatives(certificate)
    if chain:
        found["x509_pem_cert_chain"] = [chain]
    return found


def _alternatives(certificate: x509.Certificate) -> dict[str, Sequence[bytes]]:
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return {}  # a malformed extension proves nothing
    found: dict[str, list[bytes]] = {"x509_subject_alternative_name": []}
    for one in named:
        kind = _KINDS.get(type(one))
        text = _OTHER if kind is None else str(one.value).encode()
        found["x509_subject_alternative_name"].append(text)
        if kind is not None:
            found.setdefault(kind, []).append(text)
    uris = found.get("peer_uri", ())
    if len(uris) == 1 and _is_spiffe(uris[0]):
        found["peer_spiffe_id"] = [uris[0]]
    return {key: values for key, values in found.items() if values}


_KINDS: Mapping[type, str] = {
    x509.DNSName: "peer_dns",
    x509.UniformResourceIdentifier: "peer_uri",
    x509.RFC822Name: "peer_email",
    x509.IPAddress: "peer_ip",
}


def _is_spiffe(uri: bytes) -> bool:
    """Whether it has a trust domain and a path of valid sizes (SPIFFE-ID standard, section 2)."""
    scheme, _, rest = uri.partition(b"://")
    domain, _, path = rest.partition(b"/")
    return scheme == b"spiffe" and 0 < len(domain) <= _TRUST_DOMAIN_BYTES and bool(path) and len(uri) <= _SPIFFE_BYTES


def _subject(name: x509.Name) -> bytes:
    """RFC 2253 section 2: the last RDN first, attributes of one RDN joined with a plus."""
    return b",".join(b"+".join(_attribute(one) for one in reversed(list(rdn))) for rdn in reversed(name.rdns))


def _attribute(one: x509.NameAttribute[Any]) -> bytes:
    escaped = _ESCAPED.sub(rb"\\\g<0>", _bytes(one.value))
    escaped = _HEXED.sub(lambda found: b"\\%02X" % found[0][0], escaped)
    return _NAMES.get(one.oid, one.oid.dotted_string).encode() + b"=" + escaped


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _chain(connection: Any) -> bytes:
    """The intermediate certificates that the client sent, PEM; a public API since Python 3.13, private before."""
    teller = connection if hasattr(connection, "get_unverified_chain") else getattr(connection, "_sslobj", None)
    tell = getattr(teller, "get_unverified_chain", None)
    sent: Iterable[Any] = (tell() or ()) if tell is not None else ()
    return b"".join(_pem(one) for one in list(sent)[1:])


def _pem(one: Any) -> bytes:
    der = one if isinstance(one, bytes) else one.public_bytes(_DER)
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
