"""A searchable document in the making, as the server sees it: the layers of its pages, then the file.

Owns the memory file that has both. Knows nothing of PDF.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

from ..kit.workers.document import memory_file
from .page.reading import Page
from .page.routing import Method
from .pdf.text_layer import TextLayer
from .workers.layers import pack_layer

PIECE = 256 * 1024  # bytes of one message; gRPC clients accept 4 MiB by default


class SearchableFile:
    """The file of one document. Close it when it is sent."""

    def __init__(self) -> None:
        self.fd = memory_file()
        self.has_layers = False

    async def add(self, page: Page) -> bool:
        """Add the text of a page whose layout has only what OCR found; returns whether it found any."""
        layer = _layer(page)
        if layer is None:
            return False
        data = await asyncio.to_thread(pack_layer, layer)
        self.has_layers = True
        while data:
            data = data[os.write(self.fd, data) :]
        return True

    def pieces(self) -> Iterator[bytes]:
        """Yields the document that a worker has written over the layers."""
        offset = 0
        while piece := os.pread(self.fd, PIECE, offset):
            offset += len(piece)
            yield piece

    def close(self) -> None:
        os.close(self.fd)


def pieces(data: bytes) -> Iterator[bytes]:
    """Yields a document that needs no text."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


def _layer(page: Page) -> TextLayer | None:
    layout = page.layout
    if layout is None or page.decision.method not in (Method.OCR, Method.MIXED):
        return None
    lines = [line for block in layout.blocks for line in block.lines]
    found = tuple(line for line in lines if line.words)
    if not found:
        return None
    return TextLayer(
        page=page.number - 1,
        width=layout.width,
        height=layout.height,
        lines=found,
        rotation=page.rotation,
        skew=page.skew,
        replaces=page.invisible and page.decision.method is Method.OCR,
    )
