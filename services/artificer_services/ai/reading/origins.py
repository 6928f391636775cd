"""The origin of a URL (RFC 6454): scheme, host and port, as the HTTP client reads them.

Pure. The check and the request must read a URL alike, since differences of parsers are how such checks are evaded.
"""

from __future__ import annotations

from typing import NamedTuple

_PORTS = {"https": 443, "http": 80}


class Origin(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin | None:
    """Returns the origin of a URL, or None if it is no http or https URL, or has a user or a password."""
    import httpx2  # late, since batch workers read settings that have no addresses

    try:
        read = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return None
    if read.scheme not in _PORTS or not read.host or read.userinfo or "\\" in url:
        return None
    return Origin(read.scheme, read.host, read.port or _PORTS[read.scheme])
