"""Names the required fields of proto2 that a request lacks. It knows no JSON."""

from __future__ import annotations

from google.protobuf.message import Message

from ..status import Violation, invalid

# As many as an error lists at most.
_MOST = 20


def check_required(message: Message) -> None:
    """Raises INVALID_ARGUMENT that names each required field that the message, or one below it, lacks."""
    if not message.IsInitialized():
        missing = message.FindInitializationErrors()  # type: ignore[attr-defined]  # the stubs lack it
        raise invalid(*(Violation(path, "missing required field") for path in missing[:_MOST]))
