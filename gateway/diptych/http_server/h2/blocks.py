"""Field blocks: put together from their frames, decoded in order, and remembered with what they mean.

A gRPC client sends the same block with every call of a method, so that reading it is one look-up, as long as HPACK's
table stands still. It knows no stream.
"""

from __future__ import annotations

from . import frames, head
from .frames import ConnectionFault, ErrorCode, StreamFault
from .head import Head
from .hpack import Decoder, Field, HpackFault
from .limits import MAX_CONTINUATIONS, MAX_HEADER_BYTES

_REMEMBERED, _REMEMBERED_BYTES = 256, 1024


class Blocks:
    """The reading end of one connection's field blocks."""

    __slots__ = ("_decoder", "_ended", "_frames", "_heads", "_partial", "open_id")

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._heads: dict[bytes, Head] = {}
        self._partial = bytearray()
        self._frames, self._ended = 0, False
        self.open_id = 0
        """The stream whose block is not complete, during which no other frame may come; 0 where there is none."""

    def first(self, flags: int, stream_id: int, payload: bytes) -> bytes | None:
        """The block that begins with this HEADERS frame, where that is all of it."""
        if flags & (frames.PADDED | frames.PRIORITISED):
            payload = frames.unpadded(flags, payload)
            if flags & frames.PRIORITISED:
                if len(payload) < 5:
                    raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a priority cut short")
                payload = payload[5:]
        if flags & frames.END_HEADERS:
            return payload
        self.open_id, self._frames, self._ended = stream_id, 0, bool(flags & frames.END_STREAM)
        self._partial[:] = payload
        return None

    def more(self, flags: int, payload: bytes) -> tuple[int, bytes, bool] | None:
        """The block that this CONTINUATION completes: its stream, its bytes, and whether the request ends with it."""
        if not self.open_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._partial += payload
        self._frames += 1
        if self._frames > MAX_CONTINUATIONS or len(self._partial) > MAX_HEADER_BYTES:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a field block without end")
        if not flags & frames.END_HEADERS:
            return None
        done = self.open_id, bytes(self._partial), self._ended
        self.open_id = 0
        self._partial.clear()
        return done

    def decode(self, block: bytes) -> list[Field] | None:
        """Its fields; None where they are too many. Every block has to come through here or `head`, in order."""
        before = self._decoder.changes
        try:
            return self._decoder.decode(block, MAX_HEADER_BYTES)
        except HpackFault as wrong:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(wrong)) from None
        finally:
            if self._decoder.changes != before:
                self._heads.clear()

    def head(self, stream_id: int, block: bytes) -> Head:
        """What it means as the head of a request. Raises StreamFault where it is malformed."""
        found = self._heads.get(block)
        if found is not None:
            return found
        before = self._decoder.changes
        fields = self.decode(block)
        if fields is None:
            return head.TOO_LARGE
        try:
            found = head.read(fields)
        except head.Malformed as wrong:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, str(wrong)) from None
        # A block that changed the table means something else the next time.
        if self._decoder.changes == before and len(block) <= _REMEMBERED_BYTES:
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            self._heads[block] = found
        return found
