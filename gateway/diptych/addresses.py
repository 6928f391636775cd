"""Addresses of listeners: which only this machine reaches, and the error of one that cannot be bound.

It knows the standard library only, as the workers' supervisor does.
"""

from __future__ import annotations

import errno
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener on `host`. An empty host is every address."""
    if host.lower() == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def cannot_listen(setting: str, host: str, port: int, error: OSError | None = None) -> OSError:
    """The error of a bind that failed; `setting` begins the names of the settings, `http` for `http_port`.

    Without `error` the system's reason is unknown: grpcio does not pass it on.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = "the address is in use or is not this machine's" if error is None else error.strerror or str(error)
    told = f"cannot listen on {where}, set by {setting}_host and {setting}_port: {reason}"
    if error is not None and error.errno == errno.EADDRINUSE:
        told += f"; stop the program that listens there, or set another {setting}_port"
    return OSError(told)
