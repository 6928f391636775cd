"""Reads the words and their places out of the hOCR that Tesseract writes.

Only for Tesseract's own output, which has one element a line; no reader of hOCR in general.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator

from ..page.layout import Box, Line, Word
from .engine import make_word

# A line of print is "ocr_line", "ocr_header", "ocr_caption" or "ocr_textfloat"; the last three say x_size as well.
_ELEMENT = re.compile(
    r"""<span\ class='ocrx?_(?P<kind>word|line|header|caption|textfloat)'[^>]*?
    \btitle=["']bbox\ (?P<box>-?\d+\ -?\d+\ -?\d+\ -?\d+)(?P<more>[^"'>]*)["'][^>]*>(?P<text>.*)""",
    re.VERBOSE,
)
_ROW_HEIGHT = re.compile(r"\bx_size ([\d.]+)")
_CONFIDENCE = re.compile(r"\bx_wconf (\d+)")
_SLOPE = re.compile(r"\bbaseline (-?[\d.]+)")
_TAG = re.compile(r"<[^>]*>")  # a word may be within <strong> or <em>


def read_lines(hocr: str) -> Iterator[tuple[Line, float]]:
    """Yields the lines that have words, and their slopes in degrees."""
    box, height, slope, words = Box(0, 0, 0, 0), 0.0, 0.0, list[Word]()
    for found in _ELEMENT.finditer(hocr):
        place = Box(*map(int, found["box"].split()))
        if found["kind"] != "word":
            if words:
                yield Line(box, tuple(words)), slope
            box, height, words = place, _number(_ROW_HEIGHT, found["more"]), []
            slope = math.degrees(math.atan(_number(_SLOPE, found["more"])))
            continue
        text = html.unescape(_TAG.sub("", found["text"])).strip()
        if text:
            words.append(make_word(text, place, _number(_CONFIDENCE, found["more"]), height))
    if words:
        yield Line(box, tuple(words)), slope


def _number(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    return float(found[1]) if found else 0.0
