"""Invisible text of all scripts, as three readers extract it."""

from __future__ import annotations

import io
import math
from typing import Any

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest

from artificer_services.ocr.page.layout import Box, Line, Word
from artificer_services.ocr.pdf.hidden_text import HiddenText
from artificer_services.ocr.pdf.searchable import add_text, save
from artificer_services.ocr.pdf.text_layer import TextLayer

from . import samples
from .samples import pymupdf

SIZE = 14


def line(words: list[str], *, leftward: bool = False, top: float = 100) -> Line:
    """Words in reading order, from the left or from the right."""
    made, place = [], 500.0 if leftward else 60.0
    for word in words:
        width = 7.0 * len(word)
        left = place - width if leftward else place
        made.append(Word(word, Box(left, top, left + width, top + SIZE), 0.9))
        place += (-1 if leftward else 1) * (width + 4)
    return Line(made[0].box, tuple(made))


def document(*lines: Line, **options: Any) -> bytes:
    with pikepdf.open(io.BytesIO(samples.text_pdf(""))) as pdf:
        add_text(pdf, [TextLayer(page=0, width=595, height=842, lines=lines, **options)], 10)
        file = io.BytesIO()
        save(pdf, file)
        return file.getvalue()


@pytest.mark.parametrize(
    ("words", "leftward", "text"),
    [
        (["naïve", "€5", "(x)"], False, "naïve €5 (x)"),
        (["𝔘nicode"], False, "𝔘nicode"),  # beyond the Basic Multilingual Plane
        (["日本", "語の", "文書"], False, "日本語の文書"),
        (["שלום", "עולם", "טוב"], True, "שלום עולם טוב"),
        (["שלום", "123", "טוב"], True, "שלום 123 טוב"),
        (["مرحبا", "بالعالم"], True, "مرحبا بالعالم"),
        (["a\0b\ud800c"], False, "abc"),
    ],
)
def test_text_of_a_script(words: list[str], leftward: bool, text: str) -> None:
    data = document(line(words, leftward=leftward))
    with pypdfium2.PdfDocument(data) as opened:
        assert "".join(opened[0].get_textpage().get_text_range().split()) == "".join(text.split())
        if words[0].isprintable() and words[0] < "\uffff":
            assert opened[0].get_textpage().search(words[0]).get_next()
    with pymupdf.open(stream=data, filetype="pdf") as opened:
        found = opened[0].get_text()
    if not leftward or "123" not in text:  # MuPDF leaves numbers where they are
        assert "".join(found.split()) == "".join(text.split())


@pytest.mark.parametrize("skew", [-8.0, 0.0, 8.0])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_lines_run_as_the_page_was_turned(rotation: int, skew: float) -> None:
    """`rotation` and `skew` turn the page upright, so the text leans the other way."""
    data = document(line(["word"]), rotation=rotation, skew=skew)
    with pymupdf.open(stream=data, filetype="pdf") as opened:
        (block,) = opened[0].get_text("dict")["blocks"]
    (found,) = block["lines"]
    angle = math.radians(rotation + skew)
    assert math.dist(found["dir"], (math.cos(angle), -math.sin(angle))) < 0.01  # y grows downwards
    middle = pymupdf.Rect(found["bbox"])
    assert abs((middle.x0 + middle.x1) / 2 - 74) < 3
    assert abs((middle.y0 + middle.y1) / 2 - 107) < 3


def test_hidden_text_is_removed_from_forms_that_draw_one_another() -> None:
    """In a second: the forms draw one another in more ways than there are atoms."""
    forms = "".join(f"/F{number} {4 + number % 3} 0 R" for number in range(300))
    head = f"<</Type/XObject/Subtype/Form/BBox[0 0 1 1]/Resources<</XObject<<{forms}>>>>".encode()
    content = b"BT 3 Tr (hidden) Tj 0 Tr (seen) Tj ET"
    form = head + b"/Length %d>>stream\n%s\nendstream" % (len(content), content)
    page = f"/MediaBox[0 0 595 842]/Resources<</XObject<<{forms}>>>>/Contents 7 0 R"
    drawn = samples.raw_pdf(page, form, form, form, b"<</Length 6>>stream\n/F0 Do\nendstream")
    with pikepdf.open(io.BytesIO(drawn)) as pdf:
        add_text(pdf, [TextLayer(page=0, width=595, height=842, lines=(line(["word"]),), replaces=True)], 10)
        left = pdf.pages[0].Resources.XObject.F0.read_bytes()
    assert b"hidden" not in left
    assert b"(seen)" in left


def test_a_page_that_inherits_and_shares_gets_its_own_font() -> None:
    inherited = b"/Resources 4 0 R/Rotate 90/MediaBox[0 0 595 842]/Kids[3 0 R"
    drawn = samples.raw_pdf("", b"<</Font<</OCR0 5 0 R>>>>", b"<</Type/Font/Subtype/Type1/BaseFont/Courier>>")
    with pikepdf.open(io.BytesIO(drawn.replace(b"/Kids[3 0 R", inherited))) as pdf:
        add_text(pdf, [TextLayer(page=0, width=842, height=595, lines=(line(["word"]),))], 10)
        assert set(pdf.pages[0].Resources.Font.keys()) == {"/OCR0", "/OCR1"}
        assert set(pdf.get_object(4, 0).Font.keys()) == {"/OCR0"}
        file = io.BytesIO()
        save(pdf, file)
    with pymupdf.open(stream=file.getvalue(), filetype="pdf") as opened:
        (found,) = opened[0].search_for("word")
        place = found * opened[0].rotation_matrix
        assert abs(place.x0 - 60) < 1
        assert abs(place.y0 - 100) < 3


def test_many_characters_and_many_pages_share_one_font() -> None:
    letters = ["".join(chr(code) for code in range(start, start + 30)) for start in range(0x4E00, 0x4F2C, 30)]
    with pikepdf.open(io.BytesIO(samples.text_pdf("", ""))) as pdf:
        lines = tuple(line([word], top=50 + 20 * row) for row, word in enumerate(letters))
        layers = [TextLayer(page=page, width=595, height=842, lines=lines) for page in (0, 1)]
        add_text(pdf, layers, 10)
        fonts = [next(iter(page.Resources.Font.values())).objgen for page in pdf.pages]
        assert fonts[0] == fonts[1]
        file = io.BytesIO()
        save(pdf, file)
    with pymupdf.open(stream=file.getvalue(), filetype="pdf") as opened:
        assert "".join(opened[1].get_text().split()) == "".join(letters)


def test_spacing_that_invisible_text_sets_stays() -> None:
    """The operator for text on the next line sets spacings for what follows too (ISO 32000-2, 9.4.3)."""
    with pikepdf.open(io.BytesIO(samples.text_pdf("seen"))) as document:
        page = document.pages[0]
        page.Contents = document.make_stream(b'BT 3 Tr 5 2 (hidden) " 0 Tr (seen) Tj ET')
        HiddenText(document).remove(page)
        assert page.Contents.read_bytes().split() == b"BT 3 Tr 5 Tw 2 Tc T* 0 Tr (seen) Tj ET".split()
