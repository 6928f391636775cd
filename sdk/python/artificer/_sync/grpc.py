"""The gRPC transport for threads: a channel of `artificer.grpc`, messages converted to models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from .._attempt import Attempt, Metadata, Reply
from .._grpc import calls as rpc
from .._method import Kind, Method
from .._options import ClientOptions
from ..grpc import Channel
from .requests import Requests
from .transport import LateResponses, Responses

if TYPE_CHECKING:
    from ..types.base import Model

_KINDS = {
    Kind.UNARY: "unary_unary",
    Kind.SERVER_STREAM: "unary_stream",
    Kind.CLIENT_STREAM: "stream_unary",
    Kind.DUPLEX: "stream_stream",
}


class GrpcTransport:
    """Calls methods by their full names."""

    def __init__(self, options: ClientOptions) -> None:
        self._channel = Channel(options.target, rpc.channel_options(options))
        self._bound: dict[Method[Any, Any], Any] = {}

    def unary(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> Reply[Any]:
        """Sends one request for one response."""
        return self._reply(method, rpc.written(request), attempt)

    def server_stream(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> Responses[Any]:
        """Sends one request; returns once the server has begun to answer."""
        responses = _Responses(self._stream(method, rpc.written(request), attempt))
        responses.begun()
        return responses

    def client_stream(self, method: Method[Any, Any], requests: Requests, attempt: Attempt) -> Reply[Any]:
        """Sends requests as they come for one response. gRPC iterates them in a thread of its own."""
        requests.convert = rpc.written
        return self._reply(method, requests, attempt, requests)

    def duplex(self, method: Method[Any, Any], requests: Requests, attempt: Attempt) -> LateResponses[Any]:
        """Sends requests as they come while responses arrive. gRPC iterates them in a thread of its own."""
        requests.convert = rpc.written
        call = self._stream(method, requests, attempt)
        if not call.add_callback(requests.ended):
            requests.ended()
        return _Responses(call, requests)

    def close(self) -> None:
        """Ends every call and closes the connections."""
        self._channel.close()

    def _reply(
        self, method: Method[Any, Any], request: Any, attempt: Attempt, sent: Requests | None = None
    ) -> Reply[Any]:
        try:
            value, call = self._callable(method).with_call(
                request, timeout=attempt.timeout, metadata=attempt.headers or None
            )
        except grpc.RpcError as error:
            _raise(error, sent)
        if not attempt.reads_metadata:
            return Reply(rpc.value(value), {}, {})
        return Reply(rpc.value(value), rpc.metadata(call.initial_metadata()), rpc.metadata(call.trailing_metadata()))

    def _stream(self, method: Method[Any, Any], request: Any, attempt: Attempt) -> Any:
        return self._callable(method)(request, timeout=attempt.timeout, metadata=attempt.headers or None)

    def _callable(self, method: Method[Any, Any]) -> Any:
        bound = self._bound.get(method)
        if bound is None:
            start = getattr(self._channel, _KINDS[method.kind])
            bound = self._bound[method] = start(f"/{method.name}", None, rpc.reading(method))
        return bound


class _Responses:
    """The responses of a call."""

    def __init__(self, call: Any, sent: Requests | None = None) -> None:
        self._call, self._sent = call, sent
        self.metadata: Metadata = {}

    def begun(self) -> None:
        """Returns once the server has begun to answer."""
        self.metadata = rpc.metadata(self._call.initial_metadata())
        if self._call.done() and self._call.code() is not grpc.StatusCode.OK:
            _raise(self._call, self._sent)

    def __iter__(self) -> Iterator[Any]:
        try:
            for response in self._call:
                if not self.metadata:
                    self.metadata = rpc.metadata(self._call.initial_metadata())
                yield rpc.value(response)
        except grpc.RpcError as error:
            _raise(error, self._sent)

    def close(self) -> None:
        """Ends the call."""
        self._call.cancel()


def _raise(error: Any, sent: Requests | None) -> NoReturn:
    if sent is not None and sent.failure is not None:
        raise sent.failure
    raise rpc.error(error, error.initial_metadata(), error.trailing_metadata()) from None
