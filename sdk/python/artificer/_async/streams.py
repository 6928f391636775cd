"""A stream of responses, which goes on after a broken connection where the method allows it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._attempt import Metadata
from .._method import Method
from .._retry import RetryPolicy
from ..errors import APIError
from . import platform
from .transport import AsyncResponses

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
RESUME_SECONDS = 60.0
"""A stream that can be resumed is opened again for so long after its connection broke, so that a server may restart."""
Open = Callable[[Mapping[str, Any]], Awaitable[AsyncResponses[Any]]]


class AsyncStream(Generic[T]):
    """An iterator of responses. Leaving its `with` block, or `aclose`, ends the call.

    If the connection breaks, or the server says UNAVAILABLE, a stream that can be resumed is opened again after its
    last message, for up to a minute: without gap and without repetition. Others raise.
    """

    def __init__(self, opened: Open, method: Method[Any, Any], policy: RetryPolicy, retries: int) -> None:
        self._open, self._resume = opened, method.resume
        self._policy, self._retries = policy, retries
        self._responses: AsyncResponses[Any] | None = None
        self._iterator: AsyncIterator[Any] | None = None
        self._last: Any = None
        self._seen: set[Any] = set()
        self._failures, self._failing_since = 0, 0.0
        self._resumed = self._ended = False
        self.metadata: Metadata = {}

    async def __aenter__(self) -> Self:
        if self._ended:
            raise RuntimeError("this stream has ended; call the method again for another")
        if self._iterator is None:
            await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._ended:
            raise StopAsyncIteration
        while True:
            try:
                iterator = self._iterator or await self._begin()
                message = await anext(iterator)
            except APIError as error:
                await self._go_on(error)
                continue
            except BaseException:  # the end, and a cancelled task, after which the iterator cannot go on
                await self.aclose()
                raise
            self._failures = 0
            if self._is_new(message):
                return message  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        """Ends the call."""
        self._ended = True
        await self._leave()

    async def _leave(self) -> None:
        responses, self._responses, self._iterator = self._responses, None, None
        if responses is not None:
            await responses.aclose()

    async def _begin(self) -> AsyncIterator[Any]:
        after = {self._resume.after: self._last} if self._resume and self._resume.after and self._last else {}
        self._responses = await self._open(after)
        self.metadata = self._responses.metadata
        self._iterator = aiter(self._responses)
        return self._iterator

    async def _go_on(self, error: APIError) -> None:
        """Waits for the next attempt. Raises the error if there is none."""
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        wait = None
        if self._resume is not None and self._retries and now - self._failing_since < RESUME_SECONDS:
            wait = self._policy.wait(error, self._failures, repeatable=True)
        await self._leave()
        if wait is None:
            self._ended = True
            raise error
        self._resumed = True
        await platform.sleep(wait)

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
