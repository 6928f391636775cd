"""The seam between the calls and the wire: one protocol, which REST and gRPC implement with equal results.

A transport sends one attempt of one call. It raises an APIError for a failure, and never retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._attempt import Attempt, Metadata, Reply
from .requests import Requests

if TYPE_CHECKING:
    from .._method import Method
    from ..types.base import Model

S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T", bound="Model | None")


class Responses(Protocol[S_co]):
    """The responses of a stream. Iterating raises an APIError if the stream fails; `close` ends the call."""

    metadata: Metadata

    def __iter__(self) -> Iterator[S_co]: ...

    def close(self) -> None: ...


class LateResponses(Responses[S_co], Protocol[S_co]):
    """The responses of a call whose server may wait for requests first; they have metadata once it has begun."""

    def begun(self) -> None:
        """Returns once the server has begun to answer. Raises APIError if it refused."""
        ...


class Transport(Protocol):
    """Sends calls. Requests are complete models; the responses of a google.api.HttpBody are HttpBody models."""

    def unary(self, method: Method[Any, T], request: Model, attempt: Attempt) -> Reply[T]:
        """Sends one request for one response."""
        ...

    def server_stream(self, method: Method[Any, T], request: Model, attempt: Attempt) -> Responses[T]:
        """Sends one request; returns once the server has begun to answer."""
        ...

    def client_stream(self, method: Method[Any, T], requests: Requests, attempt: Attempt) -> Reply[T]:
        """Sends requests as they come for one response."""
        ...

    def duplex(self, method: Method[Any, T], requests: Requests, attempt: Attempt) -> LateResponses[T]:
        """Sends requests as they come while responses arrive."""
        ...

    def close(self) -> None:
        """Ends every call and closes the connections."""
        ...
