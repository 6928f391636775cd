"""Field blocks: joined from their frames, decoded in order, and cached with the heads that they stand for.

A gRPC client sends the same block with every call of a method. As long as HPACK's table does not change, reading it is
one look-up. It knows no stream.
"""

from __future__ import annotations

from . import frames, head
from .frames import ConnectionFault, ErrorCode, StreamFault
from .head import Head
from .hpack import Decoder, Fields, HpackFault
from .limits import MAX_BLOCK_BYTES, MAX_CONTINUATIONS, MAX_HEADER_BYTES
from .oversized import Oversized

_REMEMBERED, _REMEMBERED_BYTES = 256, 1024

Block = bytes | Fields
"""A complete block, or what is left of one that was too large to be kept."""


class Blocks:
    """The reading end of one connection's field blocks."""

    __slots__ = ("_decoder", "_ended", "_frames", "_heads", "_oversized", "_partial", "_size", "open_id")

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._heads: dict[Block, Head] = {}
        self._partial = bytearray()
        self._oversized: Oversized | None = None
        self._size = self._frames = 0
        self._ended = False
        self.open_id = 0
        """The stream whose block is incomplete, during which no other frame may come; 0 if there is none."""

    def first(self, flags: int, stream_id: int, payload: bytes) -> bytes | None:
        """Returns the block that begins with this HEADERS frame, or None if frames are to follow."""
        if flags & (frames.PADDED | frames.PRIORITISED):
            payload = frames.unpadded(flags, payload)
            if flags & frames.PRIORITISED:
                if len(payload) < 5:
                    raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "incomplete priority in HEADERS")
                payload = payload[5:]
        if flags & frames.END_HEADERS:
            return payload
        self.open_id, self._frames, self._ended = stream_id, 0, bool(flags & frames.END_STREAM)
        self._partial[:] = payload
        self._size = len(payload)
        return None

    def more(self, flags: int, payload: bytes) -> tuple[int, Block, bool] | None:
        """Returns the block that this CONTINUATION completes: its stream, its bytes, and whether the request ends."""
        if not self.open_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        self._frames += 1
        self._size += len(payload)
        if self._frames > MAX_CONTINUATIONS or self._size > MAX_BLOCK_BYTES:
            limit = f"{MAX_BLOCK_BYTES} bytes or {MAX_CONTINUATIONS} CONTINUATION frames"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"a field block of more than {limit}")
        self._keep(payload)
        return self._complete() if flags & frames.END_HEADERS else None

    def _keep(self, payload: bytes) -> None:
        if self._size <= MAX_HEADER_BYTES:
            self._partial += payload
            return
        if self._oversized is None:
            self._oversized = Oversized(self._decoder)
            payload = bytes(self._partial) + payload
            self._partial.clear()
        try:
            self._oversized.feed(payload)
        except HpackFault as wrong:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(wrong)) from None

    def _complete(self) -> tuple[int, Block, bool]:
        stream_id, self.open_id = self.open_id, 0
        oversized, self._oversized = self._oversized, None
        if oversized is not None:
            if not oversized.complete:
                raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "the block is incomplete")
            self._heads.clear()  # the table may have changed
            return stream_id, oversized.fields, self._ended
        block = bytes(self._partial)
        self._partial.clear()
        return stream_id, block, self._ended

    def decode(self, block: Block) -> Fields:
        """Returns the fields of a block. Every block must be passed to this method or to `head`, in order."""
        if isinstance(block, Fields):
            return block
        before = self._decoder.changes
        fields = Fields(MAX_HEADER_BYTES)
        try:
            if self._decoder.decode(block, fields) < len(block):
                raise HpackFault("the block is incomplete")
        except HpackFault as wrong:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(wrong)) from None
        if self._decoder.changes != before:
            self._heads.clear()
        return fields

    def head(self, stream_id: int, block: Block) -> Head:
        """Returns the head of the request that begins with the block. Raises StreamFault if it is malformed."""
        found = self._heads.get(block)
        if found is not None:
            return found
        before = self._decoder.changes
        fields = self.decode(block)
        if fields.too_large:
            return head.too_large(fields)
        try:
            found = head.read(fields.kept)
        except head.Malformed as wrong:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, str(wrong)) from None
        # A block that changed the table means something else the next time.
        if isinstance(block, bytes) and self._decoder.changes == before and len(block) <= _REMEMBERED_BYTES:
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            self._heads[block] = found
        return found
