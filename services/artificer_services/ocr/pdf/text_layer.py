"""Writes the words of a page as the invisible text of a PDF page. Pure: gives content streams and tables as bytes.

Words are placed one by one, stretched to the width of their boxes, so that a viewer marks what is seen. All words of a
line share a baseline and a height, so that marking and extraction find one line. A word ends with a space, since a
reader may take one alone for a part of its neighbours.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..page.layout import Box, Line
from .glyphless import ADVANCE, ASCENT, DESCENT, UNITS

_MOST_CHARS = 65_534  # different ones; CIDs have 16 bits, and the first is .notdef
_GAP = 0.15  # of the size, between words: readers take a tenth or less for the distance of letters
_MIN_SIZE = 1.0  # points
_BLOCK = 100  # entries of a bfchar block (Adobe Technical Note 5014)
_WIDE = ("W", "F")  # East Asian letters, between which no space is written (Unicode Standard Annex #11)

_BACKWARD = ("R", "AL")  # letters that are written to the left (Unicode Standard Annex #9)
_FORWARD = re.compile(r"[0-9\u0660-\u0669\u06f0-\u06f9A-Za-z\u00c0-\u024f][^\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]*"
                      r"[0-9\u0660-\u0669\u06f0-\u06f9A-Za-z\u00c0-\u024f]")  # fmt: skip

_TO_UNICODE = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
%s
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


class Matrix(NamedTuple):
    """A transformation as PDF writes it: x' = a x + c y + e, y' = b x + d y + f."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def then(self, other: Matrix) -> Matrix:
        """Returns this transformation followed by another one."""
        return Matrix(
            self.a * other.a + self.b * other.c,
            self.a * other.b + self.b * other.d,
            self.c * other.a + self.d * other.c,
            self.c * other.b + self.d * other.d,
            self.e * other.a + self.f * other.c + other.e,
            self.e * other.b + self.f * other.d + other.f,
        )

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f


class Rect(NamedTuple):
    """A rectangle in a plane whose y grows upwards."""

    left: float
    low: float
    right: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLayer:
    """The lines that OCR found on a page of `width` by `height` points as displayed; `page` counts from 0.

    `rotation` and `skew` are the degrees by which the page was turned clockwise to be read. The layer `replaces` the
    invisible text that the page has.
    """

    page: int
    width: float
    height: float
    lines: tuple[Line, ...]
    rotation: int = 0
    skew: float = 0.0
    replaces: bool = False


class Codes:
    """The codes by which a document's layers write characters, in the order in which they are first used."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def encode(self, text: str) -> str:
        """Returns a text as the digits of a hexadecimal string. Characters that cannot be written are left out."""
        codes = self._codes
        digits = []
        for char in text:
            code = codes.get(char)
            if code is None:
                if len(codes) == _MOST_CHARS or unicodedata.category(char) in ("Cc", "Cs", "Cn"):
                    continue
                code = codes[char] = len(codes) + 1
            digits.append(f"{code:04X}")
        return "".join(digits)

    def to_unicode(self) -> bytes:
        """Returns the CMap that tells readers the meaning of the codes (ISO 32000-2, 9.10.3)."""
        entries = [b"<%04X> <%s>" % (code, char.encode("utf-16-be").hex().upper().encode())
                   for char, code in self._codes.items()]  # fmt: skip
        blocks = [entries[start : start + _BLOCK] for start in range(0, len(entries), _BLOCK)]
        return _TO_UNICODE % b"\n".join(
            b"%d beginbfchar\n%s\nendbfchar" % (len(block), b"\n".join(block)) for block in blocks
        )


def displayed_to_page(width: float, height: float, crop: Rect, turned: int) -> Matrix:
    """Returns the transformation from displayed points, y downwards, to the user space of a page.

    `crop` is the visible box in user space; `turned` is the page's /Rotate. The
    displayed size alone says what /UserUnit does.
    """
    left, low, right, high = crop
    if turned in (90, 270):
        across, down = (high - low) / width, (right - left) / height
        if turned == 90:
            return Matrix(0, across, down, 0, left, low)
        return Matrix(0, -across, -down, 0, right, high)
    across, down = (right - left) / width, (high - low) / height
    if turned == 180:
        return Matrix(-across, 0, 0, down, right, low)
    return Matrix(across, 0, 0, -down, left, high)


def content(layer: TextLayer, place: Matrix, codes: Codes, font: str) -> bytes:
    """Returns the content stream of a layer; `place` is the page's transformation from displayed points."""
    frame = _Frame(layer)
    out = [f"q {_numbers(frame.to_display.then(place))} cm BT 3 Tr"]
    for line in layer.lines:
        out.extend(_line(line, frame, codes, font))
    out.append("ET Q\n")
    return "\n".join(out).encode()


class _Frame:
    """The plane in which the lines of a page run to the right, with y upwards, and its place on the displayed page."""

    def __init__(self, layer: TextLayer) -> None:
        self._sideways = layer.rotation in (90, 270)
        angle = math.radians(layer.rotation + layer.skew)
        cos, sin = math.cos(angle), math.sin(angle)
        # Displayed points, y downwards, turned clockwise and flipped, which is its own inverse.
        self.to_display = Matrix(cos, -sin, -sin, -cos, 0, 0)

    def place(self, box: Box) -> Rect:
        """Returns the place of a word. Its box on the displayed page has the word's own size (see `page.turning`)."""
        x, y = self.to_display((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        width, height = box.right - box.left, box.bottom - box.top
        if self._sideways:
            width, height = height, width
        return Rect(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _line(line: Line, frame: _Frame, codes: Codes, font: str) -> Iterable[str]:
    words = [(_drawn(word.text), frame.place(word.box)) for word in line.words if word.text.strip()]
    if any(_is_backward(word.text) for word in line.words):
        words.sort(key=lambda word: word[1].left)
    if not words:
        return
    low, high = min(place.low for _, place in words), max(place.high for _, place in words)
    size = max(high - low, _MIN_SIZE) * UNITS / (ASCENT - DESCENT)
    baseline = low - size * DESCENT / UNITS
    yield f"/{font} {_number(size)} Tf"
    for (text, place), following in zip(words, [*words[1:], None], strict=True):
        right, space = place.right, ""
        if following is not None and not (_is_wide(text[-1]) and _is_wide(following[0][0])):
            right, space = min(right, max(following[1].left - _GAP * size, (place.left + right) / 2)), " "
        digits = codes.encode(text)
        if digits:
            natural = len(digits) / 4 * size * ADVANCE / UNITS
            stretch = max(right - place.left, size / 100) / natural * 100
            digits += codes.encode(space)
            yield f"{_number(stretch)} Tz 1 0 0 1 {_number(place.left)} {_number(baseline)} Tm <{digits}> Tj"


def _is_backward(text: str) -> bool:
    """Whether a word begins, digits and signs aside, with a letter that is written to the left."""
    classes = (unicodedata.bidirectional(char) for char in text)
    return next((one in _BACKWARD for one in classes if one in ("L", *_BACKWARD)), False)


def _drawn(text: str) -> str:
    """Returns the letters of a word in the order in which they stand on the page, from left to right.

    Readers expect that order, and find the logical one themselves.
    """
    if not _is_backward(text):
        return text
    return _FORWARD.sub(lambda run: run[0][::-1], text[::-1])


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in _WIDE


def _numbers(values: Sequence[float]) -> str:
    return " ".join(_number(value, 6) for value in values)


def _number(value: float, digits: int = 2) -> str:
    """Returns a number as PDF writes it: without an exponent."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") or "0"
