"""The errors of reading assets, beside `Invalid` of the kit."""

from __future__ import annotations

from ...kit.errors import Kind, ServiceError


class NoReader(ServiceError):
    """The server has no reader for assets of this kind; the message says what to install."""

    kind = Kind.UNIMPLEMENTED


class FetchFailed(ServiceError):
    """The host of a URI cannot be reached, or fails."""

    kind = Kind.UNAVAILABLE
    retry_seconds = 5.0


class FetchTimeout(ServiceError):
    """The host of a URI did not deliver the asset in time."""

    kind = Kind.DEADLINE_EXCEEDED
