"""Refuses unsafe requests that a page of another site made a browser send.

Browsers send forms and plain text to any site without asking it first, with the user's cookies and certificates, and
from inside the user's network. WebSockets have a check of their own, in `faces.websocket`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.types import Scope

from ...exchange import WholeRequest
from ...faces.websocket import OWN_SITES, is_own
from ...status import Code, Status

# RFC 9110 section 9.2.1. A page may send these to any site too, but they change nothing.
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))

REFUSED = Status(
    code=Code.PERMISSION_DENIED,
    message="a page of another site may not send this request; see the setting cors_origins",
)


class CrossSite:
    """Knows the origins of `cors_origins`, whose pages may send anything."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)
        self._any = "*" in self._origins

    def refuses(self, scope: Scope) -> bool:
        """Whether a request is such a one; clients that are no browsers send neither header."""
        if scope["method"] in _SAFE or self._any:
            return False
        fields = {name: value for name, value in scope["headers"] if name in _READ}
        return len(fields) > (b"host" in fields) and not self._own(fields)

    def refuses_whole(self, request: WholeRequest) -> bool:
        """Does the same for a request that has arrived whole and has one of the headers."""
        return request.verb not in _SAFE and not self._any and not self._own(request.fields)

    def _own(self, fields: Mapping[bytes, bytes]) -> bool:
        """Whether a page of this server, or of an allowed origin, sent the request."""
        site, origin = fields.get(b"sec-fetch-site"), fields.get(b"origin", b"null").decode("latin-1")
        if site is not None:  # set by the browser; proxies do not change it as they do Host
            return site in OWN_SITES or origin in self._origins
        return origin in self._origins or is_own(origin, fields.get(b"host", b"").decode("latin-1"))


_READ = frozenset((b"host", b"origin", b"sec-fetch-site"))
