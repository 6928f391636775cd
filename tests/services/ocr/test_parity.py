"""Both PDF engines find the same on pages of many kinds, except for what is explained here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageChops

from artificer_services.ocr.page.boxes import cover
from artificer_services.ocr.page.layout import Box, Word
from artificer_services.ocr.page.reading_order import text_of
from artificer_services.ocr.page.routing import decide
from artificer_services.ocr.pdf.engine import PdfDocument, RasterRules
from artificer_services.ocr.workers.libraries import pdf_engine

from .parity_corpus import CORPUS

Findings = dict[str, Any]

_TEXT = {"text", "words", "places"}
EXPLAINED: dict[str, tuple[set[str], str]] = {
    "text_in_a_giant_unit": (
        {"size", "places", "styles"},
        "PDFium does not know UserUnit; its points are a tenth of the page's",
    ),
    "text_in_a_hidden_layer": (
        _TEXT | {"styles"},
        "PDFium lists the text of a hidden layer, though it does not draw it",
    ),
    "text_unmapped": (_TEXT, "MuPDF calls each glyph meaningless, PDFium takes its number for a character"),
    "text_with_spaced_letters": (
        _TEXT | {"styles"},
        "PDFium knows letters that an operator spaces out, MuPDF finds words of one letter",
    ),
    "a_shading_and_a_pattern": ({"drawn"}, "MuPDF does not list what a pattern fills"),
}


def findings(document: PdfDocument) -> Findings:
    content = document.look(0)
    words = [word for line in document.words(0) for word in line.words]
    raster = document.raster(0, RasterRules(asked=None, cap=50, limit=1_000_000))
    decision = decide(content)
    return {
        "size": (round(content.width), round(content.height)),
        "text": text_of(content.runs, content.width, content.height).split(),
        "words": sorted(word.text for word in words),
        "places": words,
        "styles": Counter((round(word.size), word.bold, word.italic) for word in words),
        "invisible": content.invisible,
        "cover": cover(content.pictures, Box(0.0, 0.0, content.width, content.height)),
        "pictures": len(content.pictures),
        "drawn": bool(content.paths),
        "decision": (decision.method, decision.reason),
        "shown": raster.image.resize((60, 80)),
    }


def alike(field: str, one: Any, other: Any) -> bool:
    if field == "cover":
        return bool(abs(one - other) < 0.01)
    if field == "places":
        return len(one) == len(other) and all(any(_near(word, same) for same in other) for word in one)
    if field == "shown":
        return max(ImageChops.difference(one, other).tobytes()) < 100
    return bool(one == other)


def _near(one: Word, other: Word) -> bool:
    """Whether two words are the same; each library has its own way to choose the height of a letter's box."""
    gap = max(0.3 * one.size, 2)
    return one.text == other.text and all(abs(a - b) < gap for a, b in zip(one.box, other.box, strict=True))


@pytest.mark.parametrize("kind", CORPUS)
def test_both_engines_find_the_same(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pdf"
    path.write_bytes(CORPUS[kind]())
    found: list[Findings] = []
    for name in ("pymupdf", "pypdfium2"):
        document = pdf_engine(name).open(str(path), None)
        found.append(findings(document))
        document.close()
    one, other = found
    explained, reason = EXPLAINED.get(kind, (set(), ""))
    different = {field for field in one if not alike(field, one[field], other[field])}
    assert different == explained, (reason, {field: (one[field], other[field]) for field in different ^ explained})


@pytest.mark.parametrize("name", ["pymupdf", "pypdfium2"])
@pytest.mark.parametrize("kind", ["text", "text_turned_by_the_page", "text_turned_back_in_a_crop", "a_form_filled_in"])
def test_a_region_is_the_same_part_of_the_page(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pdf"
    path.write_bytes(CORPUS[kind]())
    document = pdf_engine(name).open(str(path), None)
    rules = RasterRules(asked=72, cap=72, limit=1_000_000)  # a pixel is a point
    word = next(word for line in document.words(0) for word in line.words if len(word.text) > 5)
    left, top, right, bottom = (round(side) for side in word.box)
    region = Box(left, top, right, bottom)
    whole, part = document.raster(0, rules).image, document.raster(0, rules, region).image
    assert part.size == (right - left, bottom - top)
    assert min(part.tobytes()) < 128
    assert max(ImageChops.difference(part, whole.crop((left, top, right, bottom))).tobytes()) < 64
    document.close()
