"""CORS (the Fetch standard) for pages of other origins: what they may send, and which headers they may read.

Of the protocols it knows only header names.
"""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ...reply import UNKNOWN_FIELDS
from ...settings import Settings

__all__ = ["cross_origin"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Headers that clients of each protocol read, and that the Fetch standard hides by default.
_EXPOSED = (
    *("grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding", "grpc-accept-encoding"),
    *("content-encoding", "connect-content-encoding", "connect-accept-encoding", "accept-post", "allow"),
    *("location", "retry-after", "www-authenticate", "content-range", "accept-ranges", UNKNOWN_FIELDS.decode()),
)
_MAX_AGE_SECONDS = 7200  # the longest that Chromium caches a preflight response


def cross_origin(app: ASGIApp, settings: Settings) -> CORSMiddleware:
    """Wraps an application so that it answers preflight requests and adds CORS headers to responses."""
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=_METHODS,
        allow_headers=("*",),  # any header may be metadata
        allow_credentials=settings.cors_credentials,
        expose_headers=(*_EXPOSED, *settings.cors_expose_headers),
        max_age=_MAX_AGE_SECONDS,
    )
