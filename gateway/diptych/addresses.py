"""Addresses of listeners: whether only this machine reaches one, and the error of a failed bind.

It uses the standard library only, since the workers' supervisor imports it.
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
    """Returns the error of a failed bind; `setting` is the prefix of the settings' names, such as `http`.

    `error` is None if the system's reason is unknown: grpcio does not pass it on.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = "the address is in use or is not this machine's" if error is None else error.strerror or str(error)
    message = f"cannot listen on {where}, set by {setting}_host and {setting}_port: {reason}"
    if error is not None and error.errno == errno.EADDRINUSE:
        message += f"; stop the program that listens there, or set another {setting}_port"
    return OSError(message)
