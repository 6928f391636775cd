"""The text of a page as PDFium finds it: pieces of lines, and words.

PDFium lists the letters of a page with the objects that draw them, and adds white space. Runs in worker processes only.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pypdfium2.raw as c  # type: ignore[import-untyped]  # no stubs

from ..page.bidi import has_backwards, logical
from ..page.boxes import overlap, union
from ..page.content import TextRun
from ..page.layout import Box, Line, Word
from . import pdfium_raw as raw
from .pdfium_page import NO_INK, View
from .text import NOTHING, Letter, clean, joined, line_of, middle, parted

_MOST_LETTERS = 100_000  # of a page whose words are placed by their letters; each costs 1 us
_HYPHEN = "\ufffe"  # how PDFium returns a hyphen at the end of a line, without a line break
_HYPHEN_CODE = 2  # the same hyphen as a letter
_GAP = 0.8  # of the letters' size, from which a piece of a line ends; MuPDF's
_BOLD, _ITALIC = 1 << 18, 1 << 6  # flags of a font (ISO 32000-1, 9.8.2)
_DIRECTIONS = {0: (1.0, 0.0), 90: (0.0, 1.0), 180: (-1.0, 0.0), 270: (0.0, -1.0)}  # of reading, by degrees clockwise
_TALL = 1.6  # of the letters' size; upright letters that are higher may be below one another
_STEP = 0.5  # of it, from which letters are on another line if PDFium ends the line before them
_SPACE = 0.15  # of it, from which a gap is a space


class _Piece(NamedTuple):
    """Letters of one text object, from `first` up to `last`, on one line."""

    first: int
    last: int
    text: str
    box: Box
    style: _Style
    turned: int


class _Style(NamedTuple):
    size: float
    sign: float  # below 0 for a font of negative size, whose letters are turned by half
    visible: bool
    font: str
    bold: bool
    italic: bool


class TextLayer:
    """The text of a page by its letters, in the order in which PDFium lists them."""

    def __init__(self, textpage: Any, view: View) -> None:
        self._textpage = textpage  # which ends the page of letters when it is collected
        self._page = raw.address(textpage.raw)
        self._view = view
        self.count: int = textpage.count_chars()
        text = _text(textpage, self.count)
        self._hyphens = frozenset(found.start() for found in re.finditer(_HYPHEN, text))
        self._text = text.replace(_HYPHEN, "-")
        self._backwards = has_backwards(text)
        self._styles: dict[int, _Style] = {}
        self._fonts: dict[int, tuple[str, bool, bool]] = {}
        self._rect = c.FS_RECTF()
        self._place = ctypes.addressof(self._rect)
        self._matrix = c.FS_MATRIX()
        self._matrix_place = ctypes.addressof(self._matrix)
        self._size = ctypes.c_float()
        self._size_place = ctypes.addressof(self._size)

    @property
    def fonts(self) -> tuple[str, ...]:
        """The names of the fonts of the pieces read so far."""
        return tuple(dict.fromkeys(name for name, _, _ in self._fonts.values() if name))

    def runs(self) -> Iterator[TextRun]:
        """Yields the pieces of lines: those on a line that are near each other are one."""
        for pieces in self._groups():
            if len(pieces) == 1 and not self._backwards:
                only = pieces[0]
                yield TextRun(clean(only.text), only.box, only.style.size, only.turned, only.style.visible)
                continue
            text = pieces[0].text + "".join(self._between(*two) + two[1].text for two in pairwise(pieces))
            if has_backwards(text) and self.count <= _MOST_LETTERS:
                text = joined(self._parted(pieces), _DIRECTIONS[pieces[0].turned])
            size = max(piece.style.size for piece in pieces)
            box = union([piece.box for piece in pieces])
            yield TextRun(clean(text), box, size, pieces[0].turned, pieces[0].style.visible)

    def words(self) -> Iterator[Line]:
        """Yields the words of each piece of a line."""
        for pieces in self._groups():
            made = line_of(self._words(pieces))
            if made is not None:
                yield made

    def _parted(self, pieces: list[_Piece]) -> list[list[Letter[_Piece]]]:
        """Returns the letters of words as they stand: PDFium has spaces elsewhere in text from right to left."""
        letters = (
            (self._text[index], self._letter_box(index, piece), piece)
            for piece in pieces
            for index in range(piece.first, piece.last)
        )
        return parted(letters, _DIRECTIONS[pieces[0].turned], pieces[0].style.size)

    def _letter_box(self, index: int, piece: _Piece) -> Box:
        return self._box(index) or piece.box if self.count <= _MOST_LETTERS else _share(piece, index)

    def _words(self, pieces: list[_Piece]) -> Iterator[Word]:
        if any(has_backwards(piece.text) for piece in pieces):
            yield from (self._word(word) for word in self._parted(pieces))
            return
        word: list[Letter[_Piece]] = []
        before = pieces[0]
        for piece in pieces:
            if word and self._between(before, piece):
                yield self._word(word)
                word = []
            for index in range(piece.first, piece.last):
                if not self._text[index].isspace():
                    word.append((self._text[index], self._letter_box(index, piece), piece))
                elif word:
                    yield self._word(word)
                    word = []
            before = piece
        if word:
            yield self._word(word)

    def _word(self, letters: list[Letter[_Piece]]) -> Word:
        piece = letters[0][2]
        text, style = "".join(char for char, _, _ in letters), piece.style
        if has_backwards(text):
            text = logical((char, middle(box, *_DIRECTIONS[piece.turned])) for char, box, _ in letters)
        return Word(clean(text), union([box for _, box, _ in letters]), 1.0, style.size, style.bold, style.italic)

    def _between(self, one: _Piece, other: _Piece) -> str:
        """Returns the space between two pieces of a run, if there is one."""
        white = self._text[one.last : other.first]
        if "\n" in white:  # PDFium ends a line also at letters that are a little higher or lower
            return " " if _distance(one, other)[0] > _SPACE * one.style.size else ""
        return " " if white else ""

    def _groups(self) -> Iterator[list[_Piece]]:
        """Yields pieces that are near each other on a line, read in one direction and look alike."""
        group: list[_Piece] = []
        for piece in self._pieces():
            if group and not self._joins(group[-1], piece):
                yield group
                group = []
            group.append(piece)
        if group:
            yield group

    def _pieces(self) -> Iterator[_Piece]:
        """Yields the pieces of text; PDFium parts lines by CR LF, which belong to no object."""
        line: list[_Piece] = []
        for first, last, item in self._spans():
            piece = self._piece(first, last, item) if item else None
            if piece is not None:
                line.append(piece)
            elif "\n" in self._text[first:last]:
                yield from self._ordered(line)
                line = []
        yield from self._ordered(line)

    def _ordered(self, line: list[_Piece]) -> list[_Piece]:
        """Returns the pieces of a line as they stand; PDFium lists those from right to left in another order."""
        if not self._backwards or not any(has_backwards(piece.text) for piece in line):
            return line
        return sorted(line, key=lambda piece: (piece.turned, middle(piece.box, *_DIRECTIONS[piece.turned])))

    def _joins(self, one: _Piece, other: _Piece) -> bool:
        if one.turned != other.turned or one.style.visible != other.style.visible or one.last - 1 in self._hyphens:
            return False
        gap, step = _distance(one, other)
        size = max(one.style.size, other.style.size)
        ended = "\n" in self._text[one.last : other.first]
        return gap <= _GAP * size and step <= (_STEP if ended else _GAP) * size

    def _spans(self) -> Iterator[tuple[int, int, int | None]]:
        """Yields first and last letter of each text object; the last by galloping, since a call costs 0.6 us.

        Letters of no object are white space that PDFium adds.
        """
        first = 0
        while first < self.count:
            if self._text.startswith("\r\n", first):
                yield first, first + 2, None
                first += 2
                continue
            item, step, low = raw.text_object(self._page, first), 1, first
            end = self._text.find("\r", first)
            if item and end > first + 1 and raw.text_object(self._page, end - 1) == item:
                low = end - 1  # most objects end with their line
            while item and low + step < self.count and raw.text_object(self._page, low + step) == item:
                low, step = low + step, step * 2
            high = min(low + step, self.count)
            while high - low > 1:
                middle = (low + high) // 2
                if raw.text_object(self._page, middle) == item:
                    low = middle
                else:
                    high = middle
            yield first, high, item
            first = high

    def _piece(self, first: int, last: int, item: int) -> _Piece | None:
        """Returns the letters of an object on one line, None if none of them is on the page."""
        text = self._text[first:last]
        begin, end = first + len(text) - len(text.lstrip()), last - (len(text) - len(text.rstrip()))
        if begin >= end:
            return None
        box = self._around(begin, end)
        if not box or not self._view.holds(box):
            inside = [index for index in range(begin, end) if self._on_page(index)]
            if not inside:
                return None
            begin, end = inside[0], inside[-1] + 1
            box = self._around(begin, end) or self._view.page
        matrix = self._matrix
        raw.char_matrix(self._page, begin, self._matrix_place)
        style = self._style(item, matrix)
        direction = self._view.turned(matrix.a * style.sign, matrix.b * style.sign)
        if direction == 0 and box.bottom - box.top > _TALL * style.size and self._is_column(begin, end):
            direction = 90
        return _Piece(begin, end, self._text[begin:end], box, style, direction)

    def _is_column(self, begin: int, end: int) -> bool:
        """Whether upright letters are below one another."""
        first, last = self._box(begin), self._box(end - 1)
        return first is not None and last is not None and (last.top + last.bottom) / 2 > first.bottom

    def _around(self, begin: int, end: int) -> Box | None:
        """Returns the box of letters on one line, by the first and the last of them."""
        rect = self._rect
        if not raw.loose_box(self._page, begin, self._place):
            return self._box(end - 1)
        left, bottom, right, top = rect.left, rect.bottom, rect.right, rect.top
        if raw.loose_box(self._page, end - 1, self._place):
            left, bottom = min(left, rect.left), min(bottom, rect.bottom)
            right, top = max(right, rect.right), max(top, rect.top)
        return self._view.box(left, bottom, right, top)

    def _on_page(self, index: int) -> bool:
        box = self._box(index)
        return bool(box and overlap(box, self._view.page))

    def _box(self, index: int) -> Box | None:
        if not raw.loose_box(self._page, index, self._place):
            return None
        rect = self._rect
        return self._view.box(rect.left, rect.bottom, rect.right, rect.top)

    def _style(self, item: int, matrix: Any) -> _Style:
        found = self._styles.get(item)
        if found is None:
            raw.object_font_size(item, self._size_place)
            scale = (matrix.c**2 + matrix.d**2) ** 0.5
            name, bold, italic = self._font(raw.object_font(item) or 0)
            size, visible = self._size.value, raw.render_mode(item) != NO_INK
            found = _Style(abs(size) * scale, -1.0 if size < 0 else 1.0, visible, name, bold, italic)
            self._styles[item] = found
        return found

    def _font(self, font: int) -> tuple[str, bool, bool]:
        found = self._fonts.get(font)
        if found is None and font:
            buffer = ctypes.create_string_buffer(128)
            raw.font_name(font, ctypes.addressof(buffer), len(buffer))
            name = buffer.value.decode("utf-8", "replace").partition("+")[2] or buffer.value.decode("utf-8", "replace")
            flags, low = max(raw.font_flags(font), 0), name.lower()
            bold = bool(flags & _BOLD) or "bold" in low or "black" in low
            italic = bool(flags & _ITALIC) or "italic" in low or "oblique" in low
            found = self._fonts[font] = (name, bold, italic)
        return found or ("", False, False)


def _text(textpage: Any, count: int) -> str:
    """Returns the text of a page with one character for each of its letters."""
    text = str(textpage.get_text_range(errors="replace"))
    if len(text) == count:
        return text
    # PDFium leaves out letters of which it does not know the character.
    # Those beyond U+FFFF, such as the italic letters of formulas, are two letters.
    codes: list[int] = [c.FPDFText_GetUnicode(textpage.raw, index) for index in range(count)]
    return "".join(_char(code, after) for code, after in pairwise([*codes, 0]))


def _char(code: int, after: int) -> str:
    """Returns the character of a letter, `NOTHING` for the second half of one whose first half stands for both."""
    if code == _HYPHEN_CODE:
        return _HYPHEN
    if 0xD800 <= code < 0xDC00 <= after < 0xE000:
        return chr(0x10000 + (code - 0xD800 << 10) + after - 0xDC00)
    if 0xDC00 <= code < 0xE000:
        return NOTHING
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"


def _share(piece: _Piece, index: int) -> Box:
    """Returns about where a letter of a piece is."""
    left, top, right, bottom = piece.box
    width = (right - left) / (piece.last - piece.first)
    return Box(left + (index - piece.first) * width, top, left + (index - piece.first + 1) * width, bottom)


def _distance(one: _Piece, other: _Piece) -> tuple[float, float]:
    """Returns how far two pieces are apart along their line and across it; below 0 where they overlap."""
    begin, end, top, bottom = (0, 2, 1, 3) if one.turned in (0, 180) else (1, 3, 0, 2)
    gap = max(other.box[begin] - one.box[end], one.box[begin] - other.box[end])
    return gap, abs(other.box[top] + other.box[bottom] - one.box[top] - one.box[bottom]) / 2
