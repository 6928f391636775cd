"""WebSocket by docs/streams.md: one frame per message, JSON or protobuf by subprotocol, metadata in the first frame.

It uses none of the gateway's codecs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import urlencode

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.parity import outcome
from tests.parity.faces import Metadata, OnAnswer
from tests.parity.faces.binding import bind, choose, rules
from tests.parity.faces.grpc_web import wire_metadata
from tests.parity.outcome import Outcome

Encoding = Literal["json", "proto"]
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class WebSocketFace:
    """One subprotocol, at the method's REST path, or at its gRPC path if `by_name` is set."""

    def __init__(self, port: int, encoding: Encoding, *, by_name: bool = False) -> None:
        self.name = f"websocket-{encoding}{'-by-name' if by_name else ''}"
        self._port, self._encoding, self._by_name = port, encoding, by_name

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """Every streaming method."""
        return (method.client_streaming or method.server_streaming) and (self._by_name or bool(rules(method)))

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method; metadata is sent and received in frames, as browsers need it."""
        described = outcome.method_of(method)
        first = await anext(requests, None)
        target, begins_at_once = self._target(described, first)
        headers = {} if seconds is None else {"x-server-timeout": f"{seconds:.3f}"}
        async with connect(
            f"ws://127.0.0.1:{self._port}{target}",
            subprotocols=[Subprotocol(f"diptych.v1.{self._encoding}")],
            additional_headers=headers,
            max_size=None,
            proxy=None,
        ) as socket:
            assert socket.subprotocol == f"diptych.v1.{self._encoding}"
            await socket.send(json.dumps({"metadata": _grouped(metadata)}))
            sending = asyncio.ensure_future(self._send(socket, None if begins_at_once else first, requests))
            try:
                return await self._read(described, socket, on_answer)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    def _target(self, method: MethodDescriptor, first: Message | None) -> tuple[str, bool]:
        frame = urlencode({"$metadata": "frame"})
        if self._by_name:
            return f"{outcome.path_of(method.name)}?{frame}", False
        request = first if first is not None else outcome.request_class(method.name)()
        bound = bind(method, request)
        # A binding without a body has its whole request in the path and the query.
        return f"{bound.target}{'&' if '?' in bound.target else '?'}{frame}", not choose(method, request).body

    async def _send(self, socket: ClientConnection, first: Message | None, rest: AsyncIterator[Message]) -> None:
        try:
            if first is not None:
                await socket.send(self._encode(first))
            async for message in rest:
                await socket.send(self._encode(message))
            await socket.send("")
        except ConnectionClosed:
            pass  # the reader raises the reason

    def _encode(self, message: Message) -> str | bytes:
        if self._encoding == "json":
            return json.dumps(json_format.MessageToDict(message))
        return message.SerializeToString()

    async def _read(self, method: MethodDescriptor, socket: ClientConnection, on_answer: OnAnswer | None) -> Outcome:
        made = outcome.response_class(method.name)
        answers: list[Any] = []
        around: dict[str, Any] = {}
        async for frame in _frames(socket):
            told = _told(frame)
            if told is not None:
                assert not set(told) & set(around), "said twice"
                around.update(told)
                continue
            assert "trailers" not in around
            assert "error" not in around
            assert isinstance(frame, str) == (self._encoding == "json")
            message = json_format.Parse(frame, made()) if isinstance(frame, str) else made.FromString(frame)
            answers.append(outcome.printed(message))
            if on_answer:
                await on_answer(message)
        error = _error(around.get("error"), socket.close_code, socket.close_reason)
        headers, trailers = (_pairs(around.get(name, {})) for name in ("metadata", "trailers"))
        return Outcome(**error, answers=answers, headers=outcome.metadata(headers), trailers=outcome.metadata(trailers))


async def _frames(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


def _told(frame: str | bytes) -> dict[str, Any] | None:
    """Returns the content of a text frame that is not a message."""
    if isinstance(frame, bytes):
        return None
    value = json.loads(frame)
    alone = isinstance(value, dict) and len(value) == 1 and not {"metadata", "trailers", "error"}.isdisjoint(value)
    return value if alone else None


def _error(error: dict[str, Any] | None, code: int | None, reason: str | None) -> dict[str, Any]:
    if code == 1000:
        assert error is None
        return {}
    assert error is not None, (code, reason)
    assert code == 4000 + next(number for number, name in _CODES.items() if name == error["status"])
    whole = f"{error['status']}: {error['message']}"
    assert reason == whole.encode()[:123].decode(errors="ignore")
    return {"code": error["status"], "message": error["message"], "details": error["details"]}


def _grouped(metadata: Metadata) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in wire_metadata(metadata):
        found.setdefault(key, []).append(value)
    return found


def _pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, value) for key, found in values.items() for value in (found if isinstance(found, list) else [found])]
