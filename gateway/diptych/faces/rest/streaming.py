"""Writes a stream of responses onto one exchange, so that a failed stream never looks complete.

It knows no framing and no route: a `Framing`, or the raw bytes of HttpBody messages, is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ...call import AnyCall, Pack
from ...codec import Printed, StreamEncoder
from ...exchange import Exchange, StreamCut
from ...framing import Framing
from ...media import SSE
from ...reply import UNKNOWN_FIELDS, Headers, header_list, http_code, media_type, metadata_headers
from ...status import Status
from .compressed import stream_headers

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

    def __init__(self, framing: Framing, encoder: StreamEncoder, call: AnyCall, descriptor: Descriptor) -> None:
        self._framing, self._call, self._descriptor = framing, call, descriptor
        self._encode, self.print_all = encoder
        self.heartbeat, self.opening = framing.heartbeat, framing.opening
        self.end = framing.end
        self.failure = framing.failure
        self._looked_up = False
        self._ids: deque[str] = deque()
        self._id_of: Callable[[Message], str] | None = None

    @property
    def pack(self) -> Pack:
        """Serializes a message."""
        return self._pack_event if self._framing.media == SSE else self._encode

    def _pack_event(self, message: Message) -> bytes:
        if not self._looked_up:
            self.find_ids()
        if self._id_of is not None:
            self._ids.append(self._id_of(message))
        return self._encode(message)

    def find_ids(self) -> None:
        """Finds the field whose values are the events' ids. Raises LookupError unless it is a string or an integer."""
        self._looked_up = True
        named = [str(value) for name, value in self._call.initial_metadata if name == SSE_ID_FIELD]
        if not named:
            return
        field = named[-1]
        found = self._descriptor.fields_by_name.get(field)
        if found is None or found.is_repeated or found.cpp_type not in _ID_TYPES:
            raise LookupError(f"{SSE_ID_FIELD}: {self._descriptor.full_name} has no string or integer field {field!r}")
        if self._framing.media == SSE:
            self._id_of = lambda message: str(getattr(message, field))

    @property
    def media(self) -> bytes:
        """The stream's content type."""
        return self._framing.media.encode()

    def write(self, texts: list[bytes]) -> bytes:
        """The next messages."""
        ids = None if self._id_of is None else [self._ids.popleft() for _ in texts]
        return self._framing.messages(texts, ids)


class Bytes:
    """Writes HttpBody messages as raw bytes, with the content type of the first message."""

    heartbeat = opening = b""  # nothing can be added to bytes
    print_all = None

    def __init__(self, body_of: Callable[[Any], Any]) -> None:
        self._body_of = body_of
        self._media: bytes | None = None

    def pack(self, message: Message) -> bytes:
        """The message's bytes."""
        body = self._body_of(message)
        if self._media is None:
            self._media = media_type(body.content_type)
        data: bytes = body.data
        return data

    @property
    def media(self) -> bytes:
        """The first message's content type."""
        return self._media or media_type("")

    def write(self, packed: list[bytes]) -> bytes:
        """The next bytes."""
        return b"".join(packed)

    def end(self) -> bytes:
        """Nothing is added."""
        return b""

    def failure(self, error: bytes) -> None:
        """Nothing can be added: the client sees only an incomplete response."""


class Streaming:
    """Writes one streamed answer onto an exchange; `heartbeat` is in seconds, None for none.

    With `compresses` the stream is compressed if the client accepts it. What `write` gets is then flushed, so that
    the client can read it at once.
    """

    def __init__(
        self, exchange: Exchange, call: AnyCall, form: Messages | Bytes, heartbeat: float | None, compresses: bool
    ) -> None:
        self._exchange, self._call, self.form, self._compresses = exchange, call, form, compresses
        self._heartbeat = heartbeat
        self._opened = False

    @property
    def begun(self) -> bool:
        return self._exchange.begun

    @property
    def idle(self) -> float | None:
        return self._heartbeat if self._exchange.begun else None

    @property
    def pack(self) -> Pack:
        return self.form.pack

    @property
    def print_all(self) -> Callable[[list[bytes]], Printed] | None:
        return self.form.print_all

    async def begin(self) -> bool:
        exchange, form, initial = self._exchange, self.form, self._call.initial_metadata
        if isinstance(form, Messages):
            form.find_ids()
        initial = [pair for pair in initial if pair[0] != SSE_ID_FIELD]
        status, headers = http_code(initial, ()), metadata_headers(initial, ())
        if exchange.warnings:
            headers.append((UNKNOWN_FIELDS, header_list(exchange.warnings)))
        bodyless = status in (204, 304)
        coding = None
        if not bodyless:
            headers = [(b"content-type", form.media), *_LIVE, *headers]
            if self._compresses and not self._call.context.keeps_plain:
                added, coding = stream_headers(form.media, exchange.header(b"accept-encoding"))
                headers += added
        await exchange.begin(status, headers, None if coding is None else coding.deflater())
        if exchange.head or bodyless:
            await exchange.write(b"", more=False)
            return False
        return True

    async def write(self, messages: list[bytes], plain: set[int]) -> None:
        form = self.form
        data = form.write(messages) if messages else form.heartbeat if self._opened else form.opening
        self._opened = True
        self._call.record.bytes_out += len(data)
        await self._exchange.write(data)

    async def end(self) -> None:
        await self._end(self.form.end())

    async def _end(self, data: bytes) -> None:
        self._exchange.trailers = metadata_headers((), self._call.trailing_metadata)
        await self._exchange.write(data, more=False)

    async def fail(self, status: Status, element: bytes) -> None:
        """Writes the end of a stream that failed; `element` is the error in the form of a message.

        The response ends as any other, since a reset overtakes the error: HTTP/2 clients discard what they have not
        read when RST_STREAM arrives, and so do proxies. Raises `StreamCut` for bytes, after which nothing can be said.
        """
        last = self.form.failure(element)
        if last is not None:
            await self._end(last)
            return
        await self._exchange.cut()
        raise StreamCut(status) from None
