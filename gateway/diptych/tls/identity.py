"""What a TLS connection proves of its client, in the words in which gRPC's core tells it to servicers.

The properties and their forms are those of core's `auth_context` (grpc/src/core, ssl_security_connector), as grpcio
1.85 gives them: what one listener says, the other says too. Core also names the group of the key exchange, which
Python's TLS does not tell.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

AuthContext = Mapping[str, Sequence[bytes]]


def auth_context(connection: ssl.SSLObject) -> AuthContext:
    """What `context.auth_context()` gives for calls over this connection; the handshake is over."""
    found: dict[str, Sequence[bytes]] = {"transport_security_type": [b"ssl"]}
    shown = connection.getpeercert(binary_form=True)
    if shown is not None:
        from .certificate import certified  # needs an extra, which is checked where certificates are asked for

        found |= certified(shown, connection)
    found["security_level"] = [b"TSI_PRIVACY_AND_INTEGRITY"]
    found["ssl_session_reused"] = [b"true" if connection.session_reused else b"false"]
    name = getattr(connection, "requested_name", None)
    if name:
        found["ssl_requested_server_name"] = [name.encode()]
    found["ssl_tls_version"] = [(connection.version() or "").encode()]
    return found
