"""The requests of a client's stream over REST: NDJSON, a JSON array, or the raw bytes of an upload, bound one by one.

It knows no route and no call. The body is read only as fast as the servicer asks for requests.
"""

from __future__ import annotations

from collections import deque

from google.protobuf.message import Message

from ...bind import JSON, Binder, ContentType
from ...call import ClientGone
from ...exchange import Disconnected, Inbound
from ...framing.elements import ArraySplitter, LinesSplitter, Splitter
from ...media import ALIASES, NDJSON, REQUESTS
from ...status import Code, error
from ...telemetry import Record


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
    ) -> None:
        self._inbound, self._record = inbound, record
        self._splitter, bound_as = _splitter(binder, content_type, limit)
        self._waiting: deque[bytes] = deque()
        self._ended = False
        self._bind = binder.elements(values, query, bound_as, warnings)

    def take(self) -> Message | None:
        return self._bind(self._waiting.popleft()) if self._waiting else None

    async def __anext__(self) -> Message:
        try:
            while not self._waiting:
                if self._ended:
                    raise StopAsyncIteration
                await self._read()
        except Disconnected:
            raise ClientGone from None
        return self._bind(self._waiting.popleft())

    async def _read(self) -> None:
        piece, splitter = await self._inbound.piece(), self._splitter
        if piece is None:
            self._ended = True
            if splitter is not None:
                self._waiting.extend(splitter.end())
        else:
            self._record.bytes_in += len(piece)
            self._waiting.extend([piece] if splitter is None else splitter.feed(piece))


def _splitter(binder: Binder, content_type: ContentType, limit: int) -> tuple[Splitter | None, ContentType]:
    """The splitter of the body (None for raw bytes), and the content type by which its parts are bound."""
    if ALIASES.get(content_type.media, content_type.media) == NDJSON and not binder.takes_raw(JSON):
        return LinesSplitter(limit), JSON
    if binder.takes_raw(content_type):
        return None, content_type
    if content_type.is_json or not content_type.media:
        return ArraySplitter(limit), content_type if content_type.is_json else JSON
    raise error(
        Code.INVALID_ARGUMENT,
        f"unsupported content type {content_type.media!r} for a stream; expected one of {REQUESTS}",
        http=415,
        headers=(("accept", REQUESTS),),
    )
