"""Tab-separated values with the columns of Tesseract: pages, blocks, paragraphs, lines and words.

Boxes are in pixels at the page's resolution.
"""

from __future__ import annotations

from .escape import clean
from .page import OutputPage, Pixels

_COLUMNS = ("level", "page_num", "block_num", "par_num", "line_num", "word_num", "left", "top", "width", "height",
            "conf", "text")  # fmt: skip
_PAGE, _BLOCK, _PARAGRAPH, _LINE, _WORD = range(1, 6)
_NONE = "-1"  # the confidence of all but words


class Tsv:
    media_type = "text/tab-separated-values; charset=utf-8"
    head = "\t".join(_COLUMNS) + "\n"
    between = tail = ""

    def page(self, page: OutputPage) -> str:
        pixels = Pixels(page)
        rows: list[str] = []

        def row(level: int, place: tuple[int, int, int, int], box: tuple[int, ...], conf: str, text: str = "") -> None:
            left, top, right, bottom = box
            numbers = (level, page.number, *place, left, top, right - left, bottom - top)
            rows.append("\t".join((*map(str, numbers), conf, text)) + "\n")

        row(_PAGE, (0, 0, 0, 0), (0, 0, pixels.width, pixels.height), _NONE)
        for b, block in enumerate(page.layout.blocks, 1):
            row(_BLOCK, (b, 0, 0, 0), pixels.box(block.box), _NONE)
            row(_PARAGRAPH, (b, 1, 0, 0), pixels.box(block.box), _NONE)
            for i, line in enumerate(block.lines, 1):
                row(_LINE, (b, 1, i, 0), pixels.box(line.box), _NONE)
                for w, word in enumerate(line.words, 1):
                    row(_WORD, (b, 1, i, w), pixels.box(word.box), f"{word.confidence * 100:.2f}", clean(word.text))
        return "".join(rows)
