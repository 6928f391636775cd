"""A stream of responses onto one exchange, under one rule: a failed stream can never look complete.

It knows no form of framing and no route: a `Framing`, or an HttpBody's own bytes, is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ...call import Call, Gone, Stream
from ...codec import Parameters
from ...exchange import Exchange
from ...framing import Framing
from ...reply import Headers, Replier, http_code, media_type, metadata_headers

# A stream is for whoever asked for it, as it comes: no cache keeps it and no proxy gathers it.
_LIVE: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


SSE_ID_FIELD = "x-sse-id-field"
"""The initial metadata by which a servicer names the field of its messages that is the id of their events.

A client that comes back says the last it saw as `last-event-id`, which is metadata as any header is.
"""
_ID_TYPES = frozenset(
    (
        *(FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64),
        *(FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64),
    )
)


class Messages:
    """Messages through a framing."""

    def __init__(self, framing: Framing, replier: Replier, parameters: Parameters) -> None:
        self._framing, self._replier, self._parameters = framing, replier, parameters
        self.heartbeat = framing.heartbeat
        self.end = framing.end
        self.failure = framing.failure
        self._id_of: Callable[[Message], str] | None = None

    def name_ids(self, made: Descriptor, field: str) -> None:
        """Take the events' ids from a field of the messages. Raises LookupError where it is none that can hold one."""
        found = made.fields_by_name.get(field)
        if found is None or found.is_repeated or found.cpp_type not in _ID_TYPES:
            raise LookupError(f"{SSE_ID_FIELD}: {made.full_name} has no field {field!r} of text or of whole numbers")
        self._id_of = lambda message: str(getattr(message, field))

    def media(self, messages: Sequence[Message]) -> bytes:
        """The stream's content type."""
        return self._framing.media.encode()

    def write(self, messages: Sequence[Message]) -> bytes:
        """The next messages."""
        element, parameters = self._replier.element, self._parameters
        ids = None if self._id_of is None else [self._id_of(message) for message in messages]
        return self._framing.messages([element(message, parameters) for message in messages], ids)


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
                await _begin(exchange, call, form, messages or ())
                if exchange.head:
                    call.record.code = 0
                    await exchange.write(b"", more=False)
                    return
            if messages is None:
                await exchange.write(form.end(), more=False)
                return
            data = form.write(messages) if messages else form.heartbeat
            call.record.bytes_out += len(data)
            await exchange.write(data)
    finally:
        gone.cancel()


async def _begin(exchange: Exchange, call: Call, form: Messages | Bytes, messages: Sequence[Message]) -> None:
    initial = call.initial_metadata
    named = [value for name, value in initial if name == SSE_ID_FIELD]
    if named:
        initial = [pair for pair in initial if pair[0] != SSE_ID_FIELD]
        if isinstance(form, Messages):
            form.name_ids(call.method.descriptor.output_type, str(named[-1]))
    headers = [(b"content-type", form.media(messages)), *_LIVE, *metadata_headers(initial, ())]
    call.record.http_status = status = http_code(initial, ())
    await exchange.begin(status, headers)
