"""Pages as the JSON in a worker's frames.

The server reads every value by its type, since a worker that a file has taken over may send anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..page.layout import Block, BlockKind, Box, Cell, Line, PageLayout, Word
from ..page.reading import Comparison, PageReading
from ..page.routing import Decision, Method, Reason

T = TypeVar("T")


def pack_reading(reading: PageReading) -> dict[str, Any]:
    """Returns a page for a frame. Named tuples become arrays."""
    decision, comparison, layout = reading.decision, reading.comparison, reading.layout
    packed: dict[str, Any] = {name: getattr(reading, name) for name in PageReading.__slots__}
    packed["decision"] = [decision.method, decision.reason, decision.usable, decision.settled, decision.regions]
    packed["comparison"] = comparison and [comparison.layer, comparison.ocr, comparison.kept]
    packed["layout"] = layout and [
        layout.width,
        layout.height,
        layout.rotation,
        layout.dpi,
        [_pack(b) for b in layout.blocks],
    ]
    return packed


def unpack_reading(packed: dict[str, Any]) -> PageReading:
    """Returns the page in a frame. Raises LookupError, TypeError or ValueError if it is none."""
    confidence, comparison, layout = packed["confidence"], packed["comparison"], packed["layout"]
    return PageReading(
        decision=_decision(*packed["decision"]),
        text=str(packed["text"]),
        confidence=None if confidence is None else _share(confidence),
        layout=None if layout is None else _layout(*layout),
        text_length=int(packed["text_length"]),
        invisible=bool(packed["invisible"]),
        comparison=None if comparison is None else _comparison(*comparison),
        rotation=int(packed["rotation"]),
        skew=float(packed["skew"]),
        dpi=int(packed["dpi"]),
        languages=_each(str, packed["languages"]),
        script=str(packed["script"]),
    )


def _pack(block: Block) -> list[Any]:
    return [block.kind, block.box, block.lines, block.level, block.rows]


def _decision(method: Any, reason: Any, usable: Any, settled: Any, regions: Any) -> Decision:
    return Decision(Method(method), Reason(reason), bool(usable), bool(settled), _each(_box, regions))


def _layout(width: Any, height: Any, rotation: Any, dpi: Any, blocks: Any) -> PageLayout:
    return PageLayout(
        width=float(width),
        height=float(height),
        rotation=int(rotation),
        dpi=int(dpi),
        blocks=_each(lambda b: _block(*b), blocks),
    )


def _block(kind: Any, box: Any, lines: Any, level: Any, rows: Any) -> Block:
    return Block(
        kind=BlockKind(kind),
        box=_box(box),
        lines=_each(lambda line: Line(_box(line[0]), _each(lambda word: _word(*word), line[1])), lines),
        level=int(level),
        rows=_each(lambda row: _each(lambda cell: _cell(*cell), row), rows),
    )


def _word(text: Any, box: Any, confidence: Any, size: Any, bold: Any, italic: Any) -> Word:
    return Word(str(text), _box(box), _share(confidence), float(size), bool(bold), bool(italic))


def _cell(text: Any, box: Any, columns: Any, rows: Any) -> Cell:
    return Cell(str(text), _box(box), int(columns), int(rows))


def _box(values: Any) -> Box:
    left, top, right, bottom = values
    return Box(float(left), float(top), float(right), float(bottom))


def _comparison(layer: Any, ocr: Any, kept: Any) -> Comparison:
    return Comparison(layer=_share(layer), ocr=_share(ocr), kept="layer" if kept == "layer" else "ocr")


def _share(value: Any) -> float:
    return round(min(max(float(value), 0.0), 1.0), 4)


def _each(make: Callable[[Any], T], values: Any) -> tuple[T, ...]:
    return tuple(make(value) for value in values)
