"""hOCR 1.2: HTML with the places of words in the titles of its elements.

Boxes are in pixels at the resolution that each page states as `scan_res`.
"""

from __future__ import annotations

from ..page.layout import Block, Line
from .escape import escape
from .page import OutputPage, Pixels

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title></title>
  <meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
  <meta name="ocr-system" content="artificer.ocr.v1"/>
  <meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf"/>
 </head>
 <body>
"""


class Hocr:
    media_type = "text/vnd.hocr+html; charset=utf-8"
    head = _HEAD
    between = ""
    tail = " </body>\n</html>\n"

    def page(self, page: OutputPage) -> str:
        pixels = Pixels(page)
        size = f"bbox 0 0 {pixels.width} {pixels.height}; ppageno {page.number - 1}; scan_res {page.dpi} {page.dpi}"
        out = [f'  <div class="ocr_page" id="page_{page.number}" title="{size}">\n']
        for number, block in enumerate(page.layout.blocks, 1):
            out.append(_area(block, f"{page.number}_{number}", pixels))
        out.append("  </div>\n")
        return "".join(out)


def _area(block: Block, name: str, pixels: Pixels) -> str:
    box = _bbox(pixels.box(block.box))
    lines = "".join(_line(line, f"{name}_{number}", pixels) for number, line in enumerate(block.lines, 1))
    return (
        f'   <div class="ocr_carea" id="block_{name}" title="{box}">\n'
        f'    <p class="ocr_par" id="par_{name}" title="{box}">\n{lines}    </p>\n   </div>\n'
    )


def _line(line: Line, name: str, pixels: Pixels) -> str:
    words = []
    for number, word in enumerate(line.words, 1):
        text = escape(word.text)
        if not text:
            continue
        if word.italic:
            text = f"<em>{text}</em>"
        if word.bold:
            text = f"<strong>{text}</strong>"
        size = f"; x_fsize {word.size:.4g}" if word.size > 0 else ""
        title = f"{_bbox(pixels.box(word.box))}; x_wconf {round(word.confidence * 100)}{size}"
        words.append(f'<span class="ocrx_word" id="word_{name}_{number}" title="{title}">{text}</span>')
    height = max((word.size for word in line.words), default=0.0)
    size = f"; x_size {pixels.size(height):g}" if height > 0 else ""
    title = f"{_bbox(pixels.box(line.box))}{size}"
    return f'     <span class="ocr_line" id="line_{name}" title="{title}">{" ".join(words)}</span>\n'


def _bbox(box: tuple[int, int, int, int]) -> str:
    return "bbox {} {} {} {}".format(*box)
