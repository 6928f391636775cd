"""The properties that a TLS connection proves of its client, as gRPC's core reports them to servicers.

Names and formats are those of core's `auth_context` (grpc/src/core, ssl_security_connector) in grpcio 1.85, so that all
listeners report the same. Core also names the key exchange group, which Python's TLS does not report.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

AuthContext = Mapping[str, Sequence[bytes]]


def auth_context(connection: ssl.SSLObject) -> AuthContext:
    """Returns `context.auth_context()` for calls over this connection, whose handshake is complete."""
    found: dict[str, Sequence[bytes]] = {"transport_security_type": [b"ssl"]}
    shown = connection.getpeercert(binary_form=True)
    if shown is not None:
        from .certificate import certified  # needs an extra, which is checked when certificates are configured

        found |= certified(shown, connection)
    found["security_level"] = [b"TSI_PRIVACY_AND_INTEGRITY"]
    found["ssl_session_reused"] = [b"true" if connection.session_reused else b"false"]
    name = getattr(connection, "requested_name", None)
    if name:
        found["ssl_requested_server_name"] = [name.encode()]
    found["ssl_tls_version"] = [(connection.version() or "").encode()]
    return found
