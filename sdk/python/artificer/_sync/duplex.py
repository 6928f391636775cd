"""A call that sends requests while responses arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import platform
from .requests import Requests
from .transport import Responses

if TYPE_CHECKING:
    from typing import Self

S = TypeVar("S")
T = TypeVar("T")


class Duplex(Generic[S, T]):
    """Sends with `send` until `done`, and yields responses; or sends the requests that it was made with.

    The call begins with `with`, or with the first `send` or response. It ends when the server has answered, when an
    exception (a cancelled task too) interrupts a wait for a response, and when the `with` block is left.
    """

    def __init__(
        self,
        opened: Callable[[Requests], Responses[Any]],
        requests: Iterable[Any] | None,
    ) -> None:
        self._responses: Responses[Any] | None = None  # first, since `__del__` looks at it
        self._open = opened
        self._outbox: platform.Outbox[Any] | None = None
        if requests is None:
            self._outbox = platform.Outbox()
            self._requests = Requests(iter(self._outbox), self._outbox.end)
        else:
            self._requests = Requests(platform.each(requests))
        self._iterator: Iterator[Any] | None = None
        self._closed = False
        self._beginning = platform.Lock()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, request: S | Mapping[str, Any]) -> None:
        """Sends a request: a model, or a mapping of its fields.

        It waits while the server takes no more. Raises TypeError if the requests were given, ValueError after `done`,
        and BrokenPipeError once the call has ended.
        """
        if self._outbox is None:
            raise TypeError("this call sends the requests that it was made with")
        if not self._closed:
            self._begin()
        self._outbox.put(request)

    def done(self) -> None:
        """Says that no request follows; responses may."""
        if self._outbox is not None:
            self._outbox.close()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._closed:
            raise StopIteration
        try:
            response: T = next(self._iterator or self._begin())
        except BaseException:  # the end too
            self.close()
            raise
        return response

    def close(self) -> None:
        """Ends the call."""
        self._requests.ended()
        responses, self._responses, self._iterator = self._responses, None, None
        self._closed = True
        if responses is not None:
            responses.close()

    def __del__(self) -> None:
        # A call that was left without `with` must not keep its connection.
        if self._responses is not None:
            platform.drop(self._responses.close)

    def _begin(self) -> Iterator[Any]:
        if self._closed:
            raise RuntimeError("this call has ended; call the method again for another")
        with self._beginning:  # a task may send while another one reads
            if self._iterator is None:
                self._responses = self._open(self._requests)
                self._iterator = iter(self._responses)
            return self._iterator
