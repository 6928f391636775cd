"""Reads and makes call metadata, and names the keys to which the gateway gives a meaning.

Knows no service.
"""

from __future__ import annotations

from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]

LAST_EVENT_ID = "last-event-id"  # sent by a reconnecting EventSource (HTML Living Standard, 9.2)
IDEMPOTENCY_KEY = "idempotency-key"


def sse_id_field(name: str) -> tuple[tuple[str, str]]:
    """Returns initial metadata that makes field `name` of each message the id of its Server-Sent Event."""
    return (("x-sse-id-field", name),)


def metadata_value(context: Context, name: str) -> str:
    """Returns the first non-empty value of a metadata key as text, or an empty string."""
    for key, value in context.invocation_metadata() or ():
        if key == name and value:
            return value if isinstance(value, str) else value.decode("latin-1")
    return ""
