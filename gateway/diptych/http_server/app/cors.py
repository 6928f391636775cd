"""Pages of other origins as callers (the Fetch standard's CORS): what they may send, and which headers they may read.

It knows no protocol but for the names of its headers.
"""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ...reply import UNKNOWN_FIELDS
from ...settings import Settings

__all__ = ["cross_origin"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What clients of each protocol read, which the Fetch standard would hide from them.
_EXPOSED = (
    *("grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding", "grpc-accept-encoding"),
    *("content-encoding", "connect-content-encoding", "connect-accept-encoding", "accept-post", "allow"),
    *("location", "retry-after", "www-authenticate", "content-range", "accept-ranges", UNKNOWN_FIELDS.decode()),
)
_MAX_AGE_SECONDS = 7200  # the longest Chromium keeps an answer


def cross_origin(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application, answering preflight requests, and telling browsers whose pages may read what it says."""
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=_METHODS,
        allow_headers=("*",),  # any header may be metadata: what is asked for is granted by its name
        allow_credentials=settings.cors_credentials,
        expose_headers=(*_EXPOSED, *settings.cors_expose_headers),
        max_age=_MAX_AGE_SECONDS,
    )
