"""Server-Sent Events (https://html.spec.whatwg.org/#event-stream-interpretation), as OpenAI's API uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .errors import APIError, InternalError, InvalidArgumentError, ResourceExhaustedError

_TYPES = {"invalid_request_error": InvalidArgumentError, "rate_limit_exceeded": ResourceExhaustedError}


class EventLines:
    """Finds the data of events whose bytes arrive in pieces. Every event has one line of data."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of the last line, which are joined once: it may be long

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yields the data of the events that a piece completes."""
        self._parts.append(piece)
        if b"\n" not in piece:
            return
        *lines, rest = b"".join(self._parts).split(b"\n")
        self._parts = [rest]
        for line in lines:
            name, _, data = line.partition(b":")
            if name == b"data":
                yield data.strip()


def completion_error(data: bytes, metadata: dict[str, Any]) -> APIError:
    """Returns the exception of an error in the middle of an answer."""
    try:
        found = json.loads(data)["error"]
    except (ValueError, RecursionError):
        found = None
    given = found if isinstance(found, dict) else {"message": found}
    kind = _TYPES.get(str(given.get("type")), InternalError)
    text = str(given.get("message") or "the answer ended with an error that is not in OpenAI's form")
    return kind(text, request_id=str(metadata.get("x-request-id", "")), metadata=metadata)
