"""Requests that match no method: what is counted and logged of them.

It knows no call and no face.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..origin import ProtocolName
from ..status import CODE_OF_HTTP, Code
from .counters import UNKNOWN

LONGEST_PATH, LONGEST_VERB = 1024, 64
"""Characters of a path and of an HTTP method that are logged: a client may send as many as the listener allows."""


class Unmatched(NamedTuple):
    """One request; `path` is percent-encoded, `status` the HTTP status of the answer."""

    protocol: ProtocolName
    verb: str
    path: str
    status: int
    peer: str


def line(request: Unmatched) -> dict[str, Any]:
    """Returns the request's line in the access log, with the fields of a call to an unknown method."""
    code = Code.OK if request.status < 400 else CODE_OF_HTTP.get(request.status, Code.UNKNOWN)
    return {
        "request_id": "",
        "principal": None,
        "protocol": request.protocol,
        "service": UNKNOWN,
        "method": UNKNOWN,
        "code": code.name,
        "duration_ms": 0.0,
        "request_bytes": 0,
        "response_bytes": 0,
        "peer": request.peer,
        "user_agent": "",
        "http_method": request.verb[:LONGEST_VERB],
        "path": request.path[:LONGEST_PATH],
        "http_status": request.status,
    }
