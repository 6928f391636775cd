"""The REST transport: HTTP by httpx2, WebSocket for calls that send while they receive, JSON by pydantic."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import httpx2

from .._attempt import Attempt, Metadata, Reply
from .._method import Method
from .._options import ClientOptions
from .._rest import answers, http
from .._rest import requests as rest
from .._rest.lines import Lines
from ..errors import APIConnectionError, CancelledError
from . import platform
from .requests import Requests
from .sockets import Sockets
from .transport import LateResponses, Responses

if TYPE_CHECKING:
    from ..types.base import Model


class RestTransport:
    """Calls methods by their REST bindings."""

    def __init__(self, options: ClientOptions) -> None:
        arguments = http.client_arguments(options)
        with http.environment():
            self._http = httpx2.Client(**arguments)
        self._address, self._defaults = options.base_url, list(self._http.headers.multi_items())
        self._sockets = Sockets(options)
        self._live: WeakSet[_Responses] = WeakSet()

    def unary(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> Reply[Any]:
        """Sends one request for one response."""
        return self._reply(method, rest.request(method, request, attempt), attempt)

    def server_stream(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> Responses[Any]:
        """Sends one request; returns once the head of the answer is there."""
        return self._opened(method, rest.request(method, request, attempt), attempt)

    def client_stream(self, method: Method[Any, Any], requests: Requests, attempt: Attempt) -> Reply[Any]:
        """Sends requests as they come for one response: NDJSON, or the bytes of a file."""
        return self._reply(method, _streamed(method, requests, attempt), attempt)

    def duplex(self, method: Method[Any, Any], requests: Requests, attempt: Attempt) -> LateResponses[Any]:
        """Sends requests as they come while responses arrive.

        Files go by HTTP/1.1, which sends the whole request first; other messages by WebSocket.
        """
        if method.content:
            return self._opened(method, _streamed(method, requests, attempt), attempt)
        return self._sockets.duplex(method, requests, attempt)

    def close(self) -> None:
        """Ends every call and closes the connections."""
        self._sockets.close()
        for responses in list(self._live):
            responses.interrupt()
        self._http.close()

    def _reply(self, method: Method[Any, Any], sent: dict[str, Any], attempt: Attempt) -> Reply[Any]:
        with http.failures(attempt):
            answer = self._answer(sent, attempt, stream=False)
        metadata, trailing = answers.metadata(answer.headers.raw)
        if answer.status_code >= 300:
            raise answers.error(answer.status_code, answer.content, {**metadata, **trailing})
        return Reply(answers.response(method, answer.content, metadata), metadata, trailing)

    def _opened(self, method: Method[Any, Any], sent: dict[str, Any], attempt: Attempt) -> _Responses:
        is_content = rest.is_content(method)
        if not is_content:
            sent["timeout"] = http.timeouts(attempt, idle=http.IDLE_SECONDS)
        with http.failures(attempt, idle=not is_content):
            answer = self._answer(sent, attempt, stream=True)
        metadata, trailing = answers.metadata(answer.headers.raw)
        if answer.status_code >= 300:
            raise answers.error(answer.status_code, answer.content, {**metadata, **trailing})
        responses = _Responses(answer, method, attempt, metadata)
        self._live.add(responses)
        return responses

    def _answer(self, sent: dict[str, Any], attempt: Attempt, *, stream: bool) -> httpx2.Response:
        """Returns the head of an answer, and the body if it is no stream or an error."""
        with platform.deadline(attempt):
            answer = self._http.send(http.request(self._address, self._defaults, sent), stream=stream)
            if answer.status_code >= 300:
                answer.read()
            return answer


def _streamed(method: Method[Any, Any], requests: Requests, attempt: Attempt) -> dict[str, Any]:
    """Returns the arguments of a request whose body are messages.

    The first one is read before the request begins if the path or the query have fields of it.
    """
    first: Model | None = None
    if not rest.has_path(method, attempt.fields):
        with contextlib.suppress(StopIteration):
            first = next(requests)
    place = method.request.model_construct(**attempt.fields) if first is None else first
    sent = rest.request_stream(method, place, attempt)
    sent["content"] = _body(method, first, requests)
    return sent


def _body(method: Method[Any, Any], first: Model | None, requests: Requests) -> Iterator[bytes]:
    if first is not None:
        yield rest.piece(method, first) if method.content else rest.line(first)
    for request in requests:
        data = rest.piece(method, request) if method.content else rest.line(request)
        if data:
            yield data


class _Responses:
    """The messages of an answer in NDJSON, or the pieces of one in bytes."""

    def __init__(self, answer: httpx2.Response, method: Method[Any, Any], attempt: Attempt, metadata: Metadata) -> None:
        self._answer, self._method, self._attempt, self.metadata = answer, method, attempt, metadata
        self._clock = platform.Clock(attempt)
        self._interrupted = False

    def begun(self) -> None:
        """Returns at once, since the head of the answer is there."""

    def __iter__(self) -> Iterator[Any]:
        try:
            for message in self._messages():
                yield message
        except APIConnectionError:
            if self._interrupted:
                raise CancelledError("the call was closed") from None
            raise

    def interrupt(self) -> None:
        """Ends the call for another thread or task, which waits for a message."""
        self._interrupted = True
        http.shut_down(self._answer)

    def _messages(self) -> Iterator[Any]:
        is_content, lines = rest.is_content(self._method), Lines()
        pieces = iter(self._answer.iter_bytes())
        with http.failures(self._attempt, idle=not is_content):
            while (piece := self._clock.next(pieces)) is not None:
                if is_content:
                    yield answers.content(piece, self.metadata)
                    continue
                for line in lines.feed(piece):
                    yield answers.message(self._method, line, self.metadata)
            for line in lines.rest():
                yield answers.message(self._method, line, self.metadata)

    def close(self) -> None:
        """Ends the call."""
        self._answer.close()

    def __del__(self) -> None:
        # A stream that was left without `with` must not keep its connection.
        if not self._answer.is_closed:
            platform.drop(self._answer.close)
