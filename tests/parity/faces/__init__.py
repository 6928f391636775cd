"""Faces of the parity suite: the ways to call the kitchen sink, and the outcome of a call.

The HTTP faces follow the protocols' public specifications and know nothing about the gateway's code.
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
        """Its name in test reports."""

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """Whether the protocol has calls of this kind; `duplex` requires answers before the last request."""

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method. `seconds` is sent as the deadline; cancelling the coroutine cancels the call."""


async def each(*requests: Message) -> AsyncIterator[Message]:
    """Yields requests that are known beforehand."""
    for request in requests:
        yield request


async def only(requests: AsyncIterator[Message]) -> Message:
    """Returns the request of a call that takes one."""
    return await anext(requests)
