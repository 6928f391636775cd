"""A stream of responses onto one exchange, under one rule: a failed stream can never look complete.

It knows no form of framing and no route: a `Framing`, or an HttpBody's own bytes, is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from ..call import Call, Gone, Stream
from ..codec import Parameters
from ..exchange import Exchange
from ..framing import Framing
from ..reply import Headers, Replier, http_code, media_type, metadata_headers

# A stream is for whoever asked for it, as it comes: no cache keeps it and no proxy gathers it.
_LIVE: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class Messages:
    """Messages through a framing."""

    def __init__(self, framing: Framing, replier: Replier, parameters: Parameters) -> None:
        self._framing, self._replier, self._parameters = framing, replier, parameters
        self.heartbeat = framing.heartbeat
        self.end = framing.end
        self.failure = framing.failure

    def media(self, messages: Sequence[Message]) -> bytes:
        """The stream's content type."""
        return self._framing.media.encode()

    def write(self, messages: Sequence[Message]) -> bytes:
        """The next messages."""
        element, parameters = self._replier.element, self._parameters
        return self._framing.messages([element(message, parameters) for message in messages])


class Bytes:
    """HttpBody messages as their own bytes, under the first one's content type, nothing added."""

    heartbeat = b""

    def __init__(self, body_of: Callable[[Any], Any]) -> None:
        self._body_of = body_of

    def media(self, messages: Sequence[Message]) -> bytes:
        """The first message's content type."""
        return media_type(self._body_of(messages[0]).content_type if messages else "")

    def write(self, messages: Sequence[Message]) -> bytes:
        """The next bytes."""
        return b"".join([self._body_of(message).data for message in messages])

    def end(self) -> bytes:
        """Nothing is added."""
        return b""

    def failure(self, error: bytes) -> bytes:
        """Nothing is added: only the cut tells."""
        return b""


async def send(exchange: Exchange, call: Call, stream: Stream, form: Messages | Bytes, idle: float, left: Gone) -> None:
    """Write until it ends or fails. `idle` are seconds between heartbeats; `left` returns once the client left.

    Raises what made it fail, and `ClientGone` when the client left.
    """
    gone = asyncio.ensure_future(left())
    try:
        while True:
            heartbeat = idle if exchange.begun and form.heartbeat else None
            messages = await stream.next(gone, heartbeat)
            if not exchange.begun:
                if messages == [] and not call.context.initial_metadata_sent:
                    continue
                await _begin(exchange, call, form.media(messages or ()))
                if exchange.head:
                    await exchange.write(b"", more=False)
                    return
            if messages is None:
                await exchange.write(form.end(), more=False)
                return
            await exchange.write(form.write(messages) if messages else form.heartbeat)
    finally:
        gone.cancel()


async def _begin(exchange: Exchange, call: Call, media: bytes) -> None:
    initial = call.initial_metadata
    headers = [(b"content-type", media), *_LIVE, *metadata_headers(initial, ())]
    await exchange.begin(http_code(initial, ()), headers)
