"""Writes a stream of responses onto one exchange, so that a failed stream never looks complete.

It knows no framing and no route: a `Framing`, or the raw bytes of HttpBody messages, is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ...call import AnyCall
from ...codec import Parameters
from ...exchange import Exchange
from ...framing import Framing
from ...reply import Headers, Replier, http_code, media_type, metadata_headers

# Caches must not store a stream, and nginx must not buffer it (X-Accel-Buffering).
_LIVE: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


SSE_ID_FIELD = "x-sse-id-field"
"""The initial metadata key by which a servicer names the message field that is the id of each event.

A client that reconnects sends the last id it received as `last-event-id`, which the servicer sees as metadata.
"""
_ID_TYPES = frozenset(
    (
        *(FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64),
        *(FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64),
    )
)


class Messages:
    """Writes messages of one type in a framing."""

    def __init__(self, framing: Framing, replier: Replier, parameters: Parameters, descriptor: Descriptor) -> None:
        self._framing, self._replier, self._parameters, self._descriptor = framing, replier, parameters, descriptor
        self.heartbeat = framing.heartbeat
        self.end = framing.end
        self.failure = framing.failure
        self._id_of: Callable[[Message], str] | None = None

    def name_ids(self, field: str) -> None:
        """Uses a field of the messages as event id. Raises LookupError unless it is a string or an integer."""
        found = self._descriptor.fields_by_name.get(field)
        if found is None or found.is_repeated or found.cpp_type not in _ID_TYPES:
            raise LookupError(f"{SSE_ID_FIELD}: {self._descriptor.full_name} has no string or integer field {field!r}")
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
    """Writes HttpBody messages as raw bytes, with the content type of the first message."""

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
        """Nothing is added: the client sees the failure by the connection closing early."""
        return b""


class Streaming:
    """Writes one streamed answer onto an exchange; `heartbeat` is in seconds."""

    def __init__(self, exchange: Exchange, call: AnyCall, form: Messages | Bytes, heartbeat: float) -> None:
        self._exchange, self._call, self.form = exchange, call, form
        self._heartbeat = heartbeat if form.heartbeat else None

    @property
    def begun(self) -> bool:
        return self._exchange.begun

    @property
    def idle(self) -> float | None:
        return self._heartbeat if self._exchange.begun else None

    async def begin(self, messages: Sequence[Message]) -> bool:
        exchange, form, initial = self._exchange, self.form, self._call.initial_metadata
        named = [value for name, value in initial if name == SSE_ID_FIELD]
        if named:
            initial = [pair for pair in initial if pair[0] != SSE_ID_FIELD]
            if isinstance(form, Messages):
                form.name_ids(str(named[-1]))
        headers = [(b"content-type", form.media(messages)), *_LIVE, *metadata_headers(initial, ())]
        await exchange.begin(http_code(initial, ()), headers)
        if exchange.head:
            await exchange.write(b"", more=False)
        return not exchange.head

    async def write(self, messages: Sequence[Message], plain: set[int]) -> None:
        data = self.form.write(messages) if messages else self.form.heartbeat
        self._call.record.bytes_out += len(data)
        await self._exchange.write(data)

    async def end(self) -> None:
        await self._exchange.write(self.form.end(), more=False)
