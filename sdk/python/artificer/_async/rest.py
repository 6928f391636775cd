"""The REST transport: HTTP by httpx2, WebSocket for calls that send while they receive, JSON by pydantic."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
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
from .requests import AsyncRequests
from .sockets import AsyncSockets
from .transport import AsyncLateResponses, AsyncResponses

if TYPE_CHECKING:
    from ..types.base import Model


class AsyncRestTransport:
    """Calls methods by their REST bindings."""

    def __init__(self, options: ClientOptions) -> None:
        arguments = http.client_arguments(options)
        with http.environment():
            self._http = httpx2.AsyncClient(**arguments)
        self._address, self._defaults = options.base_url, list(self._http.headers.multi_items())
        self._sockets = AsyncSockets(options)
        self._live: WeakSet[_Responses] = WeakSet()

    async def unary(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> Reply[Any]:
        """Sends one request for one response."""
        return await self._reply(method, rest.request(method, request, attempt), attempt)

    async def server_stream(self, method: Method[Any, Any], request: Model, attempt: Attempt) -> AsyncResponses[Any]:
        """Sends one request; returns once the head of the answer is there."""
        return await self._opened(method, rest.request(method, request, attempt), attempt)

    async def client_stream(self, method: Method[Any, Any], requests: AsyncRequests, attempt: Attempt) -> Reply[Any]:
        """Sends requests as they come for one response: NDJSON, or the bytes of a file."""
        return await self._reply(method, await _streamed(method, requests, attempt), attempt)

    async def duplex(
        self, method: Method[Any, Any], requests: AsyncRequests, attempt: Attempt
    ) -> AsyncLateResponses[Any]:
        """Sends requests as they come while responses arrive.

        Files go by HTTP/1.1, which sends the whole request first; other messages by WebSocket.
        """
        if method.content:
            return await self._opened(method, await _streamed(method, requests, attempt), attempt)
        return await self._sockets.duplex(method, requests, attempt)

    async def aclose(self) -> None:
        """Ends every call and closes the connections."""
        await self._sockets.aclose()
        for responses in list(self._live):
            responses.interrupt()
        await self._http.aclose()

    async def _reply(self, method: Method[Any, Any], sent: dict[str, Any], attempt: Attempt) -> Reply[Any]:
        with http.failures(attempt):
            answer = await self._answer(sent, attempt, stream=False)
        metadata, trailing = answers.metadata(answer.headers.raw)
        if answer.status_code >= 300:
            raise answers.error(answer.status_code, answer.content, {**metadata, **trailing})
        return Reply(answers.response(method, answer.content, metadata), metadata, trailing)

    async def _opened(self, method: Method[Any, Any], sent: dict[str, Any], attempt: Attempt) -> _Responses:
        is_content = rest.is_content(method)
        if not is_content:
            sent["timeout"] = http.timeouts(attempt, idle=http.IDLE_SECONDS)
        with http.failures(attempt, idle=not is_content):
            answer = await self._answer(sent, attempt, stream=True)
        metadata, trailing = answers.metadata(answer.headers.raw)
        if answer.status_code >= 300:
            raise answers.error(answer.status_code, answer.content, {**metadata, **trailing})
        responses = _Responses(answer, method, attempt, metadata)
        self._live.add(responses)
        return responses

    async def _answer(self, sent: dict[str, Any], attempt: Attempt, *, stream: bool) -> httpx2.Response:
        """Returns the head of an answer, and the body if it is no stream or an error."""
        async with platform.deadline(attempt):
            answer = await self._http.send(http.request(self._address, self._defaults, sent), stream=stream)
            if answer.status_code >= 300:
                await answer.aread()
            return answer


async def _streamed(method: Method[Any, Any], requests: AsyncRequests, attempt: Attempt) -> dict[str, Any]:
    """Returns the arguments of a request whose body are messages.

    The first one is read before the request begins if the path or the query have fields of it.
    """
    first: Model | None = None
    if not rest.has_path(method, attempt.fields):
        with contextlib.suppress(StopAsyncIteration):
            first = await anext(requests)
    place = method.request.model_construct(**attempt.fields) if first is None else first
    sent = rest.request_stream(method, place, attempt)
    sent["content"] = _body(method, first, requests)
    return sent


async def _body(method: Method[Any, Any], first: Model | None, requests: AsyncRequests) -> AsyncIterator[bytes]:
    if first is not None:
        yield rest.piece(method, first) if method.content else rest.line(first)
    async for request in requests:
        data = rest.piece(method, request) if method.content else rest.line(request)
        if data:
            yield data


class _Responses:
    """The messages of an answer in NDJSON, or the pieces of one in bytes."""

    def __init__(self, answer: httpx2.Response, method: Method[Any, Any], attempt: Attempt, metadata: Metadata) -> None:
        self._answer, self._method, self._attempt, self.metadata = answer, method, attempt, metadata
        self._clock = platform.Clock(attempt)
        self._interrupted = False

    async def begun(self) -> None:
        """Returns at once, since the head of the answer is there."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for message in self._messages():
                yield message
        except APIConnectionError:
            if self._interrupted:
                raise CancelledError("the call was closed") from None
            raise

    def interrupt(self) -> None:
        """Ends the call for another thread or task, which waits for a message."""
        self._interrupted = True
        http.shut_down(self._answer)

    async def _messages(self) -> AsyncIterator[Any]:
        is_content, lines = rest.is_content(self._method), Lines()
        pieces = aiter(self._answer.aiter_bytes())
        with http.failures(self._attempt, idle=not is_content):
            while (piece := await self._clock.next(pieces)) is not None:
                if is_content:
                    yield answers.content(piece, self.metadata)
                    continue
                for line in lines.feed(piece):
                    yield answers.message(self._method, line, self.metadata)
            for line in lines.rest():
                yield answers.message(self._method, line, self.metadata)

    async def aclose(self) -> None:
        """Ends the call."""
        await self._answer.aclose()

    def __del__(self) -> None:
        # A stream that was left without `with` must not keep its connection.
        if not self._answer.is_closed:
            platform.drop(self._answer.aclose)
