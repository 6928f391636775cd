"""The exception of a failed call from its google.rpc.Status, which both transports find in their own form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._attempt import Metadata
from .errors import APIError, error_type


def failure(
    code: int | str,
    message: str,
    details: Sequence[dict[str, Any]] = (),
    *,
    metadata: Metadata | None = None,
    http_status: int | None = None,
    retry_after: float | None = None,
) -> APIError:
    """Returns the exception for a code. `retry_after` is what the transport says besides google.rpc.RetryInfo."""
    found = metadata or {}
    asked = _retry_delay(details)
    return error_type(code)(
        message,
        details=list(details),
        http_status=http_status,
        request_id=str(found.get("x-request-id", "")),
        retry_after=retry_after if asked is None else asked,
        metadata=found,
    )


def _retry_delay(details: Sequence[dict[str, Any]]) -> float | None:
    """Returns the seconds of google.rpc.RetryInfo, None if there are none or they are no time to wait."""
    for detail in details:
        if str(detail.get("@type", "")).endswith("/google.rpc.RetryInfo"):
            try:
                found = float(str(detail.get("retryDelay")).removesuffix("s"))
            except ValueError:
                return None
            return found if found >= 0 else None  # neither negative nor NaN
    return None
