"""A client's stream of messages, whose errors name the message: those of the service, and those of parsing it.

Knows no service. What a service has stored before an error stays stored; it says so in the error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Generic, Self, TypeVar

from google.protobuf.message import DecodeError

from diptych.status import Code, StatusError, error

from .errors import Fault, Invalid

M = TypeVar("M")

Unreadable = StatusError
"""The gateway's error for a message that cannot be read: malformed, too large, too slow."""


class ClientStream(Generic[M]):
    """Iterates the messages of a stream and counts them. Raises `Unreadable`.

    An upload without a message is a client's mistake: for one, `expect_any` raises Invalid behind the last message.
    """

    def __init__(self, requests: AsyncIterator[M]) -> None:
        self.position = 0
        """The number of the current message of the stream, from 1; also if it is unreadable."""
        self._requests: Any = aiter(requests)

    def expect_any(self, field: str) -> None:
        """Raise Invalid if the stream had no message; `field` is one that the first message needs."""
        if not self.position:
            raise Invalid(Fault(field, "the stream has no messages; send at least one"))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> M:
        try:
            request: M = await self._requests.__anext__()
        except DecodeError as wrong:  # from grpcio's own server, which parses where it is iterated
            self.position += 1
            raise error(Code.INVALID_ARGUMENT, f"malformed message: {wrong}") from None
        except Unreadable:
            self.position += 1
            raise
        self.position += 1
        return request
