"""What ASGI scopes say of their connection.

It knows no request.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..exchange import AUTH


def connection_scope(transport: asyncio.BaseTransport, version: str) -> dict[str, Any]:
    """Returns the part of a scope that is the same for every request of a connection; `version` is HTTP's."""
    tls: Any = transport.get_extra_info("ssl_object")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": version,
        "server": _address(transport.get_extra_info("sockname")),
        "client": _address(transport.get_extra_info("peername")),
        "scheme": "http" if tls is None else "https",
        "root_path": "",
    }
    if tls is not None:
        scope[AUTH] = tls.proven
    return scope


def _address(name: Any) -> tuple[str, int] | None:
    """Returns host and port; None for a Unix socket, and for a socket that is closed already."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple | list) and len(name) >= 2 else None
