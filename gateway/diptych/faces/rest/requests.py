"""The requests of a client's stream over REST: NDJSON, a JSON array, or the raw bytes of an upload, bound one by one.

It knows no route and no call. The body is read only as fast as the servicer asks for requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter

from google.protobuf.message import Message

from ...bind import JSON, OCTETS, Binder, ContentType
from ...call import ClientGone
from ...exchange import FREE_BYTES, Disconnected, Inbound, MessageBounds
from ...framing.elements import ArraySplitter, LinesSplitter, Splitter
from ...media import ALIASES, NDJSON, REQUESTS
from ...status import Code, error
from ...telemetry import Record

# How many bytes are split at once: a whole read of the smallest messages would be ninety thousand. The most is for
# large messages.
_LEAST, _MOST = 1024, 16384
_FEW_SECONDS, _LONG_SECONDS = 100e-6, 400e-6


class Elements:
    """Reads requests from a body, in the format of its content type.

    Raises INVALID_ARGUMENT with http 415 for a content type that streams do not support.
    """

    def __init__(
        self,
        inbound: Inbound,
        binder: Binder,
        values: tuple[str, ...],
        query: bytes,
        content_type: ContentType,
        limit: int,
        warnings: list[str],
        record: Record,
        bounds: MessageBounds,
    ) -> None:
        self._inbound, self._record, self._bounds = inbound, record, bounds
        self._splitter, bound_as = _splitter(binder, content_type, limit)
        # Raw bytes of a stated type may be none: that is one message, as it is of a unary call.
        self._may_be_empty = self._splitter is None and content_type.media != ""
        self._waiting: deque[bytes] = deque()
        self._piece = memoryview(b"")  # what is not split yet
        self._slice = _LEAST
        self._ended = False
        self._bind = binder.elements(values, query, bound_as, warnings)

    def take(self) -> Message | None:
        return self._next() if self._waiting else None

    def _next(self) -> Message:
        element, bounds = self._waiting.popleft(), self._bounds
        if bounds.held or len(element) >= FREE_BYTES:
            bounds.hold(len(element))
        return self._bind(element)

    async def __anext__(self) -> Message:
        try:
            while not self._waiting:
                if self._ended:
                    raise StopAsyncIteration
                await self._read()
                if self._piece and not self._waiting:  # whitespace, or a message of many slices
                    await asyncio.sleep(0)
        except Disconnected:
            raise ClientGone from None
        return self._next()

    async def _read(self) -> None:
        splitter = self._splitter
        if not self._piece:
            piece = await self._bounds.piece(self._inbound, 0 if splitter is None else splitter.held)
            if piece is None:
                self._ended = True
                if splitter is not None:
                    self._waiting.extend(splitter.end())
                elif self._may_be_empty:
                    self._waiting.append(b"")
                return
            self._may_be_empty = False
            self._record.bytes_in += len(piece)
            self._piece = memoryview(piece)
        size = len(self._piece) if splitter is None else self._slice
        part, self._piece = bytes(self._piece[:size]), self._piece[size:]
        if splitter is None:
            self._waiting.append(part)
            return
        began = perf_counter()
        self._waiting.extend(splitter.feed(part))
        took = perf_counter() - began
        if took > _LONG_SECONDS:
            self._slice = max(_LEAST, size // 2)
        elif took < _FEW_SECONDS:
            self._slice = min(_MOST, size * 2)


def _splitter(binder: Binder, content_type: ContentType, limit: int) -> tuple[Splitter | None, ContentType]:
    """The splitter of the body (None for raw bytes), and the content type by which its parts are bound."""
    if ALIASES.get(content_type.media, content_type.media) == NDJSON and not binder.takes_raw(JSON):
        return LinesSplitter(limit), JSON
    if binder.takes_raw(content_type):
        return None, content_type
    if binder.takes_json(content_type) or not content_type.media:
        return ArraySplitter(limit), content_type if content_type.is_json else JSON
    expected = f"{REQUESTS}, {OCTETS.media}" if binder.takes_raw(OCTETS) else REQUESTS
    raise error(
        Code.INVALID_ARGUMENT,
        f"unsupported content type {content_type.media!r} for a stream; expected one of {expected}",
        http=415,
        headers=(("accept", expected),),
    )
