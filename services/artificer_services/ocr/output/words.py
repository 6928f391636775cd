"""Words with their places as JSON, with the names that PageLayout of artificer.ocr.v1 has in JSON."""

from __future__ import annotations

import json
from typing import Any

from ..page.layout import Block, Box, Cell, Line
from .page import OutputPage


class Words:
    media_type = "application/json"
    head = '{"layouts":['
    between = ","
    tail = "]}\n"

    def page(self, page: OutputPage) -> str:
        layout = page.layout
        value = {
            "pageNumber": page.number,
            "width": _number(layout.width),
            "height": _number(layout.height),
            "blocks": [_block(block) for block in layout.blocks],
        }
        # A lone surrogate, which UTF-8 cannot carry, would stay alone as an escape too.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace").decode()


def _block(block: Block) -> dict[str, Any]:
    return {
        "kind": f"TEXT_BLOCK_KIND_{block.kind.name}",
        "box": _box(block.box),
        "lines": [_line(line) for line in block.lines],
        "level": block.level,
        "rows": [{"cells": [_cell(cell) for cell in row]} for row in block.rows],
    }


def _line(line: Line) -> dict[str, Any]:
    words = [
        {
            "text": word.text,
            "box": _box(word.box),
            "confidence": _number(word.confidence),
            "fontSize": _number(word.size),
        }
        for word in line.words
    ]
    return {"box": _box(line.box), "words": words}


def _cell(cell: Cell) -> dict[str, Any]:
    return {"text": cell.text, "box": _box(cell.box), "columnSpan": cell.columns, "rowSpan": cell.rows}


def _box(box: Box) -> dict[str, float]:
    return {
        "left": _number(box.left),
        "top": _number(box.top),
        "right": _number(box.right),
        "bottom": _number(box.bottom),
    }


def _number(value: float) -> float:
    return round(value, 3)
