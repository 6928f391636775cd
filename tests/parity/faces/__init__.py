"""What a face is to the parity suite: one door to the kitchen sink, and how a call through it ended.

The faces of HTTP are written from the protocols' public specifications and know nothing of the gateway's code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from tests.parity.outcome import Outcome

Metadata = Sequence[tuple[str, str | bytes]]
OnAnswer = Callable[[Message], Awaitable[None]]


class Face(Protocol):
    """One way to call a method."""

    @property
    def name(self) -> str:
        """What a test report calls it."""

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """Whether the protocol has calls of this kind; `duplex` asks for answers before the last request is sent."""

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Call a method. `seconds` are told to the server; being cancelled cancels the call."""


async def each(*requests: Message) -> AsyncIterator[Message]:
    """Requests that are known beforehand."""
    for request in requests:
        yield request


async def only(requests: AsyncIterator[Message]) -> Message:
    """The request of a call that takes one."""
    return await anext(requests)
