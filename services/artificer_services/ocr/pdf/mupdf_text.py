"""The text of a page as MuPDF finds it: pieces of lines, and words.

Runs in worker processes only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
import pymupdf as untyped_pymupdf

from ..page.bidi import has_backwards, logical
from ..page.boxes import union
from ..page.content import TextRun
from ..page.layout import Box, Line, Word
from .mupdf_stext import SCALE, TEXT, blocks, interpret, mupdf
from .text import Letter, clean, joined, line_of, middle, parted, turned

pymupdf: Any = untyped_pymupdf  # only partly annotated

_INK = mupdf.FZ_STEXT_FILLED | mupdf.FZ_STEXT_STROKED  # a character with neither is that of an earlier OCR run
_HIDES = re.compile(rb"(?<![\d.])3\s+Tr\b")  # ISO 32000-1, 9.3.6: the invisible rendering mode
_MOST_FORMS = 10  # whose content is searched for invisible text
_MOST_CHARS = 100_000  # of a page whose words are placed by their letters; each costs 0.5 kB
_ITALIC, _BOLD = pymupdf.TEXT_FONT_ITALIC, pymupdf.TEXT_FONT_BOLD
_GAP = 0.8  # of the size; letters of a column are nearer than that
_TALL = 1.6  # of the size; a line that is higher is turned by a quarter


def hides_text(page: Any) -> bool:
    """Whether a page, or a form on it, may draw invisible text; one with many forms may."""
    forms = page.get_xobjects()
    if len(forms) > _MOST_FORMS or _hides(page.read_contents()):
        return True
    return any(_hides(page.parent.xref_stream(number) or b"") for number, *_ in forms)


def _hides(contents: bytes) -> bool:
    return b"Tr" in contents and _HIDES.search(contents) is not None


def printed_runs(page: Any, printed: bytes) -> tuple[list[TextRun], list[str]]:
    """Returns the lines in the JSON of a page, which are all visible, and the fonts with which they begin."""
    lines = [line for block in _parsed(printed)["blocks"] for line in block.get("lines", ())]
    fonts = [line["font"]["name"] for line in lines]
    if any(line["wmode"] for line in lines):
        return [run for line in _lines_of_letters(page) for run in _runs(line)], fonts
    runs = [run for line in lines if (run := _printed_run(line))]
    return _readable(page, runs), fonts


def _parsed(printed: bytes) -> Any:
    try:
        return orjson.loads(printed)
    except orjson.JSONDecodeError:  # MuPDF writes control characters and damaged text as they are
        return json.loads(printed.decode("utf-8", "replace"), strict=False)


def runs(page: Any, found: Sequence[dict[str, Any]]) -> tuple[list[TextRun], list[str]]:
    """Returns the pieces of lines in the blocks of a page, and their fonts."""
    lines = _lines(found)
    made = [run for line in lines for run in _runs(line)]
    return _readable(page, made), [span["font"] for line in lines for span in line["spans"]]


def words(page: Any) -> tuple[Line, ...]:
    """Returns the words of a page in the order in which it draws them."""
    made = (line_of(_words(line)) for line in _lines_of_letters(page))
    return tuple(line for line in made if line is not None)


def _readable(page: Any, found: list[TextRun]) -> list[TextRun]:
    if not any(has_backwards(run.text) for run in found):
        return found
    # MuPDF gives the parts of such a line from left to right, whose letters are in logical order.
    return [run for line in _lines_of_letters(page) for run in _runs(line)]


def _printed_run(line: dict[str, Any]) -> TextRun | None:
    text = line["text"].rstrip()
    if not text:
        return None
    place, size = line["bbox"], line["font"]["size"] / SCALE
    left, top = place["x"] / SCALE, place["y"] / SCALE
    box = Box(left, top, left + place["w"] / SCALE, top + place["h"] / SCALE)
    # The place of the first letter tells where the line begins.
    if box.bottom - box.top > _TALL * size and box.bottom - box.top > box.right - box.left:
        direction = 90 if line["y"] / SCALE - box.top < box.bottom - line["y"] / SCALE else 270
    else:
        wide = box.right - box.left > size
        direction = 180 if wide and line["x"] / SCALE - box.left > box.right - line["x"] / SCALE else 0
    return TextRun(clean(text), box, size, direction)


def _lines_of_letters(page: Any) -> list[dict[str, Any]]:
    """Returns the lines of a page with the places of their letters, or of their pieces if there are too many."""
    stext = interpret(page, TEXT)
    lines = _lines(blocks(stext))
    if sum(len(span["text"]) for line in lines for span in line["spans"]) > _MOST_CHARS:
        return lines
    return _lines(blocks(stext, letters=True))


def _lines(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the lines of blocks. MuPDF has each letter of a column that is written from top to bottom as a line."""
    lines: list[dict[str, Any]] = []
    for block in found:
        first = len(lines)
        for line in block.get("lines", ()):
            if line["wmode"] and len(lines) > first and _goes_on(lines[-1], line):
                lines[-1] = line | {"spans": [*lines[-1]["spans"], *line["spans"]]}
            else:
                lines.append(line)
    return lines


def _goes_on(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a letter is the next one of a column."""
    if not one["wmode"] or one["dir"] != other["dir"]:
        return False
    before, after = one["spans"][-1], other["spans"][0]
    size = max(before["size"], after["size"])
    left, _, right, bottom = before["bbox"]
    aside = abs(after["bbox"][0] + after["bbox"][2] - left - right) / 2
    return bool(aside < size / 2 and -size / 2 < after["bbox"][1] - bottom < _GAP * size)


def _runs(line: dict[str, Any]) -> Iterator[TextRun]:
    """Yields the pieces of a line: one, or several if only some of its letters are visible."""
    spans = line["spans"]
    angle = turned(*line["dir"])
    first = 0
    for index in range(1, len(spans) + 1):
        if index == len(spans) or bool(spans[index]["char_flags"] & _INK) != bool(spans[first]["char_flags"] & _INK):
            part = spans[first:index]
            text = clean(_text(part, line["dir"]))
            size = max(span["size"] for span in part)
            if not text.isspace():
                box = union(_boxes(part))
                yield TextRun(text.rstrip(), box, size, angle, bool(spans[first]["char_flags"] & _INK))
            first = index


def _boxes(spans: list[dict[str, Any]]) -> list[Box]:
    """Returns the boxes of a part of a line, or of its letters without white space.

    From right to left, MuPDF has the space at the right of a Latin word before it, as the gap to the next word.
    """
    if "text" in spans[0]:
        return [Box(*span["bbox"]) for span in spans]
    letters = list(_letters({"spans": spans}))
    return [box for char, box, _ in letters if not char.isspace()] or [box for _, box, _ in letters]


def _text(spans: list[dict[str, Any]], direction: tuple[float, float]) -> str:
    """Returns the text of a part of a line in the order in which it is read."""
    if "text" in spans[0]:
        return "".join(span["text"] for span in spans)
    letters = list(_letters({"spans": spans}))
    text = "".join(char for char, _, _ in letters)
    if not has_backwards(text):
        return text
    # MuPDF has no spaces between words that are drawn from right to left.
    return joined(parted(letters, direction, max(span["size"] for span in spans)), direction)


def _words(line: dict[str, Any]) -> Iterator[Word]:
    """Yields the words of a line, which white space separates."""
    letters = list(_letters(line))
    if has_backwards("".join(char for char, _, _ in letters)):
        size = max(span["size"] for span in line["spans"])
        yield from (_word(word, line["dir"]) for word in parted(letters, line["dir"], size))
        return
    word: list[Letter[dict[str, Any]]] = []
    for letter in letters:
        if not letter[0].isspace():
            word.append(letter)
        elif word:
            yield _word(word, line["dir"])
            word = []
    if word:
        yield _word(word, line["dir"])


def _word(letters: list[Letter[dict[str, Any]]], direction: tuple[float, float]) -> Word:
    text, span = "".join(char for char, _, _ in letters), letters[0][2]
    if has_backwards(text):
        text = logical((char, middle(box, *direction)) for char, box, _ in letters)
    box = union([box for _, box, _ in letters])
    return Word(clean(text), box, 1.0, span["size"], bool(span["flags"] & _BOLD), bool(span["flags"] & _ITALIC))


def _letters(line: dict[str, Any]) -> Iterator[Letter[dict[str, Any]]]:
    """Yields the letters of a line; those of a page with too many for a box each share out their piece's width."""
    for span in line["spans"]:
        if "chars" in span:
            for char in span["chars"]:
                yield char["c"], Box(*char["bbox"]), span
            continue
        left, top, right, bottom = span["bbox"]
        width = (right - left) / max(len(span["text"]), 1)
        for number, char in enumerate(span["text"]):
            yield char, Box(left + number * width, top, left + (number + 1) * width, bottom), span
