"""The text layers of a document in the file by which the server gives them to a worker: a line of JSON for each page.

The worker writes its result over them, so that one file serves for both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..page.layout import Box, Line, Word
from ..pdf.text_layer import TextLayer


def pack_layer(layer: TextLayer) -> bytes:
    """Returns a layer as a line of the file."""
    lines = [[[word.text, *(round(value, 2) for value in word.box)] for word in line.words] for line in layer.lines]
    value = [layer.page, layer.width, layer.height, layer.rotation, layer.skew, layer.replaces, lines]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def unpack_layers(path: str) -> Iterator[TextLayer]:
    """Yields the layers in a file."""
    with open(path, "rb") as file:
        for text in file:
            page, width, height, rotation, skew, replaces, lines = json.loads(text)
            yield TextLayer(
                page=page,
                width=width,
                height=height,
                rotation=rotation,
                skew=skew,
                replaces=replaces,
                lines=tuple(_line(words) for words in lines),
            )


def _line(words: list[list[Any]]) -> Line:
    made = tuple(Word(text, Box(*box), 1.0) for text, *box in words)
    return Line(made[0].box if made else Box(0, 0, 0, 0), made)
