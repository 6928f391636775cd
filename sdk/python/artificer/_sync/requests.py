"""The requests of a stream on their way to a transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self


class Requests:
    """An iterator of requests that remembers whether it was begun, and the exception that ended it."""

    def __init__(self, requests: Iterator[Any], on_end: Callable[[], None] | None = None) -> None:
        self._requests, self._on_end = requests, on_end
        self.begun = False
        self.convert: Callable[[Any], Any] | None = None  # set by a transport
        self.failure: Exception | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self.begun = True
        try:
            request = next(self._requests)
            return request if self.convert is None else self.convert(request)
        except StopIteration:
            raise
        except Exception as error:
            self.failure = error
            raise

    def ended(self) -> None:
        """Says that the call has ended: no further request is read."""
        if self._on_end is not None:
            self._on_end()
