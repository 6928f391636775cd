"""Sends over ASGI what a wire writes, whole or piece by piece.

It knows no protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...call import AnyCall
from ...exchange import TRAILERS_ONLY, Send
from ...metadata import Pair
from ...reply import Headers
from ...status import Status
from .wires import Wire

__all__ = ["WireWriter"]

_START, _BODY, _TRAILERS = "http.response.start", "http.response.body", "http.response.trailers"


class WireWriter:
    """Sends one response."""

    __slots__ = ("_send", "_wire", "begun", "ended")

    def __init__(self, wire: Wire, send: Send) -> None:
        self._wire, self._send = wire, send
        self.begun = self.ended = False

    async def begin(self, call: AnyCall) -> None:
        """Sends the head of the response."""
        await self._start(self._wire.head(call))

    async def unary(self, call: AnyCall, message: bytes) -> None:
        """Sends the whole response of one message."""
        reply, trailers = self._wire.unary(call, message)
        await self._start(reply.headers)
        await self._end(reply.body, trailers)

    async def messages(self, messages: Sequence[bytes], first: int, plain: Collection[int]) -> None:
        """Sends messages; `first` is the number of the first, `plain` has the numbers of those not to compress."""
        wire = self._wire
        body = wire.coded(wire.packed(messages, first, plain))
        await self._send({"type": _BODY, "body": body, "more_body": True})

    async def end(self, call: AnyCall) -> None:
        """Sends the end of a stream that succeeded."""
        await self._end(*self._wire.end(b"", None, call.trailing_metadata))

    async def fail(self, status: Status, call: AnyCall | None, initial: Sequence[Pair] = ()) -> None:
        """Sends the end of a call that failed, before or after its first message, unless the end is sent already.

        `initial` is the initial metadata of a call that was not opened.
        """
        if self.ended:
            return
        if not self.begun:
            reply, trailers = self._wire.failure(status, call, initial)
            # The content type alone: without initial metadata, Trailers-Only loses nothing.
            await self._start(reply.headers, trailers_only=trailers is not None and len(reply.headers) == 1)
            await self._end(reply.body, trailers)
        else:
            await self._end(*self._wire.end(b"", status, () if call is None else call.trailing_metadata))

    async def _start(self, headers: Headers, *, trailers_only: bool = False) -> None:
        self.begun = True
        message: dict[str, Any] = {"type": _START, "status": 200, "headers": headers, "trailers": self._wire.trails}
        if trailers_only:
            message[TRAILERS_ONLY] = True
        await self._send(message)

    async def _end(self, body: bytes, trailers: Headers | None) -> None:
        self.ended = True
        await self._send({"type": _BODY, "body": body})
        if trailers is not None:
            await self._send({"type": _TRAILERS, "headers": trailers})
