"""The stream of a model's answer: its events, its text, or the whole answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._answer import Answer
from .streams import AsyncStream

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")


class AsyncAnswerStream(Generic[T]):
    """An iterator of events. Leaving its `with` block, or `aclose`, ends the call, which stops the model.

    `so_far` has what has arrived, in whichever way it is read.
    """

    def __init__(self, stream: AsyncStream[Any]) -> None:
        self._stream = stream
        self.so_far = Answer()

    async def text(self) -> AsyncIterator[str]:
        """Yields the text in pieces as they arrive."""
        async for event in self:
            if piece := getattr(event, "text", ""):
                yield piece

    async def collect(self) -> Answer:
        """Returns the answer when it is whole."""
        async with self:
            async for _ in self:
                pass
        return self.so_far

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        event: T = await anext(self._stream)
        self.so_far.add(event)
        return event

    async def aclose(self) -> None:
        """Ends the call."""
        await self._stream.aclose()
