"""Text from right to left in logical order, however a page draws it."""

from __future__ import annotations

from pathlib import Path

import pytest
from bidi import get_display  # type: ignore[import-untyped]  # no stubs

from artificer_services.ocr.page.bidi import is_backwards, logical
from artificer_services.ocr.page.reading_order import text_of
from artificer_services.ocr.pdf.engine import PdfEngine
from artificer_services.ocr.pdf.mupdf import MuPdfEngine
from artificer_services.ocr.pdf.pdfium import PdfiumEngine

from . import samples

LINES = [
    "שלום עולם זה טקסט בעברית",
    "טקסט עם English words ומספרים 123,456 (בסוגריים) ועוד 50% הנחה.",
    "The word שלום means peace",
    "نص باللغة العربية مع English words وأرقام 123 (بين قوسين).",
]
_MIRROR = str.maketrans("()", ")(")


def seen(line: str) -> str:
    """A line as it stands, from left to right."""
    return str(get_display(line, base_dir="R" if is_backwards(line) else "L"))


@pytest.mark.parametrize("line", LINES)
def test_lines_are_read_from_their_places(line: str) -> None:
    letters = [(char, float(place)) for place, char in enumerate(seen(line))]
    assert logical(letters) == logical(reversed(letters)) == line


def test_brackets_by_their_shape_are_read_as_what_they_do() -> None:
    assert logical((char, place) for place, char in enumerate(seen(LINES[1]).translate(_MIRROR))) == LINES[1]


def test_marks_stay_with_their_letters() -> None:
    word, place, letters = "שָלוֹם", 10.0, []
    for char in word:
        place -= 0 if char in "\u05b8\u05b9" else 1
        letters.append((char, place))
    assert logical(letters) == word


def test_arabic_letters_as_they_look_become_letters() -> None:
    assert logical([("\ufefc", 0.0), ("\ufeb3", 1.0)]) == "سلا"


@pytest.mark.parametrize("engine", [MuPdfEngine(), PdfiumEngine()], ids=lambda engine: engine.name)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("drawn", ["as it stands", "words from the right", "words with spaces from the right"])
def test_pages(engine: PdfEngine, line: str, drawn: str, tmp_path: Path) -> None:
    visual = seen(line)
    texts = [(60.0, 100.0, visual)]
    if drawn == "words from the right":
        texts = [(60.0 + 6 * visual.index(word), 100.0, word) for word in visual.split()][::-1]
    if drawn == "words with spaces from the right":  # each after the space at its right, as they are read
        places = [(word, 60.0 + 6 * visual.index(word)) for word in visual.split()][::-1]
        texts = [part for word, x in places for part in ((x + 6 * len(word), 100.0, " "), (x, 100.0, word))]
    (tmp_path / "page.pdf").write_bytes(samples.placed_pdf(*texts))
    document = engine.open(str(tmp_path / "page.pdf"), None)
    content = document.look(0)
    found = document.words(0)
    document.close()
    assert text_of(content.runs, content.width, content.height) == line
    assert sorted(word.text for part in found for word in part.words) == sorted(line.split())
