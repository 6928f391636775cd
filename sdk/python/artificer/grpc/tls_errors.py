"""What gRPC's reports of a failed TLS handshake mean."""

from __future__ import annotations

# What the report contains, and what it means.
_MEANINGS = (
    ("CERTIFICATE_VERIFY_FAILED", "no trusted authority has signed its certificate; `ca` names one"),
    ("Hostname Verification", "its certificate is for another host"),
    ("WRONG_VERSION_NUMBER", "it does not use TLS"),
    # TLS 1.3: the server checks the client's certificate after the client's side of the handshake has succeeded, and
    # core's status does not carry the server's alert (RFC 8446 section 4.4.2.4).
    ("TSI_DATA_CORRUPTED", "it refused the TLS connection; it may require a client certificate that it trusts, `cert`"),
)


def connection_problem(details: str | None) -> str | None:
    """Returns why the server cannot be reached, from the details of an UNAVAILABLE error; None if they do not say.

    The details of a failed handshake are OpenSSL's; this says what to mend.
    """
    return next((meaning for sign, meaning in _MEANINGS if sign in (details or "")), None)
