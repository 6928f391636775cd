"""The seam between the calls and the wire: one protocol, which REST and gRPC implement with equal results.

A transport sends one attempt of one call. It raises an APIError for a failure, and never retries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._attempt import Attempt, Metadata, Reply
from .requests import AsyncRequests

if TYPE_CHECKING:
    from .._method import Method
    from ..types.base import Model

S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T", bound="Model | None")


class AsyncResponses(Protocol[S_co]):
    """The responses of a stream. Iterating raises an APIError if the stream fails; `aclose` ends the call."""

    metadata: Metadata

    def __aiter__(self) -> AsyncIterator[S_co]: ...

    async def aclose(self) -> None: ...


class AsyncLateResponses(AsyncResponses[S_co], Protocol[S_co]):
    """The responses of a call whose server may wait for requests first; they have metadata once it has begun."""

    async def begun(self) -> None:
        """Returns once the server has begun to answer. Raises APIError if it refused."""
        ...


class AsyncTransport(Protocol):
    """Sends calls. Requests are complete models; the responses of a google.api.HttpBody are HttpBody models."""

    async def unary(self, method: Method[Any, T], request: Model, attempt: Attempt) -> Reply[T]:
        """Sends one request for one response."""
        ...

    async def server_stream(self, method: Method[Any, T], request: Model, attempt: Attempt) -> AsyncResponses[T]:
        """Sends one request; returns once the server has begun to answer."""
        ...

    async def client_stream(self, method: Method[Any, T], requests: AsyncRequests, attempt: Attempt) -> Reply[T]:
        """Sends requests as they come for one response."""
        ...

    async def duplex(self, method: Method[Any, T], requests: AsyncRequests, attempt: Attempt) -> AsyncLateResponses[T]:
        """Sends requests as they come while responses arrive."""
        ...

    async def aclose(self) -> None:
        """Ends every call and closes the connections."""
        ...
