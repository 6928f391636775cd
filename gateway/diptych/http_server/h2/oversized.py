"""A field block above the limit, decoded piece by piece so that HPACK's table stays in step.

It holds an incomplete field at most, and knows no stream.
"""

from __future__ import annotations

from .hpack import LONGEST_PARTIAL, Decoder, Fields


class Oversized:
    """One such block."""

    __slots__ = ("_decoder", "_partial", "_to_skip", "fields")

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._partial = b""
        self._to_skip = 0
        self.fields = Fields(0)
        """What is left of its fields."""

    @property
    def complete(self) -> bool:
        """Whether the block may end here."""
        return not self._partial and not self._to_skip

    def feed(self, piece: bytes) -> None:
        """Decodes the next piece. Raises HpackFault."""
        skipped = min(self._to_skip, len(piece))
        self._to_skip -= skipped
        block = self._partial + piece[skipped:]
        partial = block[self._decoder.decode(block, self.fields) :]
        while len(partial) > LONGEST_PARTIAL:
            partial, self._to_skip = self._decoder.drop_long(partial, self.fields)
        self._partial = partial
