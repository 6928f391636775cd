"""The errors of chat, named by whose fault they are.

Knows neither gRPC nor protos: `servicer` maps these to statuses.
"""

from __future__ import annotations

from dataclasses import dataclass


class ChatError(Exception):
    """A call failed. `message` is safe to show to a client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """One field of a request that cannot be taken, by its path, and what to mend."""

    field: str
    text: str


class Invalid(ChatError):
    """The client's request cannot be taken as it is; `faults` names every field to mend."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.text}" for fault in faults))
        self.faults = faults


class NotFound(ChatError):
    """There is no such message."""


class Conflict(ChatError):
    """The client's request id was used before, for something else. `id` is the message that has it."""

    def __init__(self, message: str, id_: str) -> None:
        super().__init__(message)
        self.id = id_


class BeyondEnd(ChatError):
    """The client has seen a message that the channel does not have, as after its store was set back."""


class TooSlow(ChatError):
    """The client reads more slowly than the channel speaks. `after` is the last message it was given."""

    def __init__(self, message: str, after: str) -> None:
        super().__init__(message)
        self.after = after


class Unavailable(ChatError):
    """The store cannot be reached, or the service is stopping; it is worth to come again after `retry_seconds`."""

    def __init__(self, message: str, retry_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds
