"""A call that sends requests while responses arrive."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import platform
from .requests import AsyncRequests
from .transport import AsyncResponses

if TYPE_CHECKING:
    from typing import Self

S = TypeVar("S")
T = TypeVar("T")


class AsyncDuplex(Generic[S, T]):
    """Sends with `send` until `done`, and yields responses; or sends the requests that it was made with.

    The call begins with `with`, or with the first `send` or response. It ends when the server has answered, when an
    exception (a cancelled task too) interrupts a wait for a response, and when the `with` block is left.
    """

    def __init__(
        self,
        opened: Callable[[AsyncRequests], Awaitable[AsyncResponses[Any]]],
        requests: AsyncIterable[Any] | Iterable[Any] | None,
    ) -> None:
        self._responses: AsyncResponses[Any] | None = None  # first, since `__del__` looks at it
        self._open = opened
        self._outbox: platform.Outbox[Any] | None = None
        if requests is None:
            self._outbox = platform.Outbox()
            self._requests = AsyncRequests(aiter(self._outbox), self._outbox.end)
        else:
            self._requests = AsyncRequests(platform.each(requests))
        self._iterator: AsyncIterator[Any] | None = None
        self._closed = False
        self._beginning = platform.Lock()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def send(self, request: S | Mapping[str, Any]) -> None:
        """Sends a request: a model, or a mapping of its fields.

        It waits while the server takes no more. Raises TypeError if the requests were given, ValueError after `done`,
        and BrokenPipeError once the call has ended.
        """
        if self._outbox is None:
            raise TypeError("this call sends the requests that it was made with")
        if not self._closed:
            await self._begin()
        await self._outbox.put(request)

    async def done(self) -> None:
        """Says that no request follows; responses may."""
        if self._outbox is not None:
            await self._outbox.close()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._closed:
            raise StopAsyncIteration
        try:
            response: T = await anext(self._iterator or await self._begin())
        except BaseException:  # the end too
            await self.aclose()
            raise
        return response

    async def aclose(self) -> None:
        """Ends the call."""
        self._requests.ended()
        responses, self._responses, self._iterator = self._responses, None, None
        self._closed = True
        if responses is not None:
            await responses.aclose()

    def __del__(self) -> None:
        # A call that was left without `with` must not keep its connection.
        if self._responses is not None:
            platform.drop(self._responses.aclose)

    async def _begin(self) -> AsyncIterator[Any]:
        if self._closed:
            raise RuntimeError("this call has ended; call the method again for another")
        async with self._beginning:  # a task may send while another one reads
            if self._iterator is None:
                self._responses = await self._open(self._requests)
                self._iterator = aiter(self._responses)
            return self._iterator
