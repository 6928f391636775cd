"""Bidirectional methods by WebSocket (docs/streams.md): JSON in text frames, the server's metadata in the first one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from .._attempt import Attempt, Metadata
from .._method import Method
from .._options import ClientOptions
from .._rest import answers, http
from .._rest import requests as rest
from .._status import failure
from ..errors import APIConnectionError, APIError, CancelledError, UnknownError
from . import platform
from .requests import AsyncRequests

_OWN_CODES = range(4000, 4017)  # 4000 and a gRPC code


class AsyncSockets:
    """Opens a WebSocket for each call."""

    def __init__(self, options: ClientOptions) -> None:
        self._address = "ws" + options.base_url.removeprefix("http")
        self._headers = http.headers(options)
        self._arguments: dict[str, Any] = {
            "subprotocols": ["diptych.v1.json"],
            "user_agent_header": None,  # it is among the headers
            "compression": None,
            "max_size": None,
            "close_timeout": 2,
        }
        if urlsplit(options.base_url).scheme == "https":
            self._arguments["ssl"] = http.tls(options) or httpx2.create_ssl_context()
        if options.proxy or http.is_local(options):
            self._arguments["proxy"] = options.proxy
        self._open: set[_Responses] = set()

    async def duplex(self, method: Method[Any, Any], requests: AsyncRequests, attempt: Attempt) -> _Responses:
        """Opens the WebSocket of a method's full name and begins to send."""
        own = rest.call_headers(attempt)
        names = {name for name, _ in own}
        with _failures(attempt, opening=True):
            socket = await platform.websocket(
                f"{self._address}/{method.name}?$metadata=frame",
                additional_headers=[*(pair for pair in self._headers if pair[0] not in names), *own],
                open_timeout=http.timeouts(attempt)["connect"],
                **self._arguments,
            )
        responses = _Responses(socket, method, requests, attempt, self._open.discard)
        self._open.add(responses)
        return responses

    async def aclose(self) -> None:
        """Ends every call."""
        for responses in list(self._open):
            await responses.aclose()


class _Responses:
    """The responses of a call, whose requests are sent beside."""

    def __init__(
        self, socket: Any, method: Method[Any, Any], requests: AsyncRequests, attempt: Attempt, forget: Any
    ) -> None:
        self._socket, self._method, self._requests, self._attempt = socket, method, requests, attempt
        self._clock, self._forget = platform.Clock(attempt), forget
        self.metadata: Metadata = {}
        self._closed = self._has_metadata = False
        self._sending = platform.Background(self._send)

    async def begun(self) -> None:
        """Reads the server's metadata, which it sends before its first response."""
        with _failures(self._attempt):
            frame = await self._frame()
            if frame is not None and not self._take_metadata(frame):
                answers.message(self._method, frame.encode(), self.metadata)  # raises the error that it is

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            with _failures(self._attempt):
                while (frame := await self._frame()) is not None:
                    if not self._take_metadata(frame) and not _is_trailers(frame, self._method):
                        yield answers.message(self._method, frame.encode(), self.metadata)
            if self._requests.failure is not None:
                raise self._requests.failure
            if self._closed:
                raise CancelledError("the call was closed")
        except APIError:
            if self._requests.failure is not None:
                raise self._requests.failure from None
            raise
        finally:
            self._requests.ended()

    async def aclose(self) -> None:
        """Ends the call."""
        self._closed = True
        self._forget(self)
        self._requests.ended()
        await platform.close_websocket(self._socket)
        await self._sending.stop()

    async def _frame(self) -> str | None:
        frame = await self._clock.receive(self._socket)
        if isinstance(frame, bytes):
            raise UnknownError("the server sent a binary frame of a WebSocket; is base_url a gateway's?")
        return frame

    def _take_metadata(self, frame: str | None) -> bool:
        if self._has_metadata or frame is None or not frame.startswith('{"metadata"'):
            return False
        self.metadata, self._has_metadata = answers.frame_metadata(frame), True
        return True

    async def _send(self) -> None:
        """Sends the requests and the end of them; a request that cannot be made ends the call."""
        try:
            await self._socket.send('{"metadata":{}}')
            async for request in self._requests:
                await self._socket.send(rest.line(request)[:-1].decode())
            await self._socket.send("")
        except ConnectionClosed:
            pass  # the responses tell why
        except Exception as error:
            self._requests.failure = error
            await platform.close_websocket(self._socket)
        finally:
            self._requests.ended()


def _is_trailers(frame: str, method: Method[Any, Any]) -> bool:
    return frame.startswith('{"trailers":') and "trailers" not in method.response.model_fields


class _failures:  # noqa: N801, a context manager
    """Turns the exceptions of `websockets` into the SDK's."""

    def __init__(self, attempt: Attempt, *, opening: bool = False) -> None:
        self._attempt, self._opening = attempt, opening

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        found = _translated(error, self._attempt, self._opening)
        if found is not None:
            raise found from error


def _translated(error: BaseException | None, attempt: Attempt, opening: bool) -> Exception | None:
    if isinstance(error, InvalidStatus) and error.response.status_code < 300:
        return UnknownError("the server does not speak WebSocket; is base_url a gateway's?")
    if isinstance(error, InvalidStatus):
        raw = [(key.encode(), value.encode("latin-1", "replace")) for key, value in error.response.headers.raw_items()]
        return answers.error(error.response.status_code, bytes(error.response.body or b""), answers.metadata(raw)[0])
    if isinstance(error, ConnectionClosed):
        return _closed(error)
    if isinstance(error, TimeoutError):
        if attempt.timeout is None or (opening and attempt.timeout > http.CONNECT_SECONDS):
            return _unreachable(error)  # its own time-out, not the call's
        return http.deadline_exceeded(attempt)
    if isinstance(error, WebSocketException | OSError):
        return _unreachable(error)
    return None


def _unreachable(error: BaseException) -> APIConnectionError:
    return APIConnectionError(f"the server cannot be reached: {error or type(error).__name__}", sent=False)


def _closed(error: ConnectionClosed) -> APIError:
    received = error.rcvd
    if received is None:
        return APIConnectionError("the connection broke", sent=True)
    if received.code in _OWN_CODES:  # its frame with the error did not arrive
        return failure(received.code - 4000, received.reason.partition(": ")[2] or received.reason)
    if received.code == 1009:
        return failure("RESOURCE_EXHAUSTED", received.reason or "a message is too large")
    if received.code in {1001, 1012}:
        return APIConnectionError(received.reason or "the server stops", sent=True)
    return APIConnectionError(f"the connection broke: WebSocket close {received.code} {received.reason}", sent=True)
