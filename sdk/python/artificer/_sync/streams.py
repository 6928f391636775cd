"""A stream of responses, which goes on after a broken connection where the method allows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._attempt import Metadata
from .._method import Method
from .._retry import RetryPolicy
from ..errors import APIError
from . import platform
from .transport import Responses

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
RESUME_SECONDS = 60.0
"""A stream that can be resumed is opened again for so long after its connection broke, so that a server may restart."""
Open = Callable[[Mapping[str, Any]], Responses[Any]]


class Stream(Generic[T]):
    """An iterator of responses. Leaving its `with` block, or `close`, ends the call.

    If the connection breaks, or the server says UNAVAILABLE, a stream that can be resumed is opened again after its
    last message, for up to a minute: without gap and without repetition. Others raise.
    """

    def __init__(self, opened: Open, method: Method[Any, Any], policy: RetryPolicy, retries: int) -> None:
        self._open, self._resume = opened, method.resume
        self._policy, self._retries = policy, retries
        self._responses: Responses[Any] | None = None
        self._iterator: Iterator[Any] | None = None
        self._last: Any = None
        self._seen: set[Any] = set()
        self._failures, self._failing_since = 0, 0.0
        self._resumed = self._ended = False
        self.metadata: Metadata = {}

    def __enter__(self) -> Self:
        if self._ended:
            raise RuntimeError("this stream has ended; call the method again for another")
        if self._iterator is None:
            self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._ended:
            raise StopIteration
        while True:
            try:
                iterator = self._iterator or self._begin()
                message = next(iterator)
            except APIError as error:
                self._go_on(error)
                continue
            except BaseException:  # the end, and a cancelled task, after which the iterator cannot go on
                self.close()
                raise
            self._failures = 0
            if self._is_new(message):
                return message  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the call."""
        self._ended = True
        self._leave()

    def _leave(self) -> None:
        responses, self._responses, self._iterator = self._responses, None, None
        if responses is not None:
            responses.close()

    def _begin(self) -> Iterator[Any]:
        after = {self._resume.after: self._last} if self._resume and self._resume.after and self._last else {}
        self._responses = self._open(after)
        self.metadata = self._responses.metadata
        self._iterator = iter(self._responses)
        return self._iterator

    def _go_on(self, error: APIError) -> None:
        """Waits for the next attempt. Raises the error if there is none."""
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        wait = None
        if self._resume is not None and self._retries and now - self._failing_since < RESUME_SECONDS:
            wait = self._policy.wait(error, self._failures, repeatable=True)
        self._leave()
        if wait is None:
            self._ended = True
            raise error
        self._resumed = True
        platform.sleep(wait)

    def _is_new(self, message: Any) -> bool:
        if self._resume is None or not self._resume.by:
            return True
        value = getattr(message, self._resume.by)
        if self._resume.after:
            self._last = value
            return True
        new = not self._resumed or value not in self._seen
        self._seen.add(value)
        return new
