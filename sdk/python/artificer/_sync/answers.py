"""The stream of a model's answer: its events, its text, or the whole answer."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._answer import Answer
from .streams import Stream

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")


class AnswerStream(Generic[T]):
    """An iterator of events. Leaving its `with` block, or `close`, ends the call, which stops the model.

    `so_far` has what has arrived, in whichever way it is read.
    """

    def __init__(self, stream: Stream[Any]) -> None:
        self._stream = stream
        self.so_far = Answer()

    def text(self) -> Iterator[str]:
        """Yields the text in pieces as they arrive."""
        for event in self:
            if piece := getattr(event, "text", ""):
                yield piece

    def collect(self) -> Answer:
        """Returns the answer when it is whole."""
        with self:
            for _ in self:
                pass
        return self.so_far

    def __enter__(self) -> Self:
        self._stream.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        event: T = next(self._stream)
        self.so_far.add(event)
        return event

    def close(self) -> None:
        """Ends the call."""
        self._stream.close()
