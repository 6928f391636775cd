"""Pages of several kinds through both PDF engines: nothing on them is lost, and no text is made worse."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Literal

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw

from artificer_services.ocr.build import OcrService, OcrSettings, build
from artificer_services.ocr.engine import Choices, Page

from . import samples

pytestmark = pytest.mark.asyncio(loop_scope="module")

pymupdf: Any = samples.pymupdf
LINES = samples.PARAGRAPH
OTHER = ("Only the picture names the keeper of the lamp", "and the number of barrels in the cellar")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["pymupdf", "pypdfium2"])
async def service(request: Any) -> AsyncIterator[OcrService]:
    made = build(OcrSettings(pdf_engine=request.param, workers=1))
    async with made.lifespan():
        yield made


async def read(service: OcrService, data: bytes, **choices: Any) -> Page:
    async with aclosing(service.reader.pages(data, Choices(**choices))) as pages:
        (page,) = [page async for page in pages]
        return page


def picture_of(lines: tuple[str, ...], width: float = 475, height: float = 120) -> bytes:
    """A picture of lines of text, at 150 dpi."""
    with pymupdf.open() as document:
        page = document.new_page(width=width, height=height)
        for row, line in enumerate(lines):
            page.insert_text((20, 30 + row * 20), line, fontsize=12)
        drawn = page.get_pixmap(dpi=150, colorspace=pymupdf.csGRAY, alpha=False)
        return samples.save(Image.frombytes("L", (drawn.width, drawn.height), drawn.samples), "PNG")


def document_with(picture: bytes, box: tuple[float, ...], lines: tuple[str, ...] = LINES, *, top: float = 60) -> bytes:
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        for row, line in enumerate(lines):
            page.insert_text((60, top + row * 20), line, fontsize=12)
        page.insert_image(box, stream=picture, keep_proportion=False)
        return bytes(document.tobytes())


def photo() -> bytes:
    """Soft shapes in many grays, without text."""
    image = Image.radial_gradient("L").resize((600, 400))
    image.paste(Image.linear_gradient("L").resize((300, 200)), (150, 100))
    return samples.save(image, "PNG")


def foliage() -> bytes:
    return samples.save(Image.effect_noise((600, 400), 90), "PNG")


def seal() -> bytes:
    image = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(image).ellipse((20, 20, 280, 280), outline=0, width=12)
    return samples.save(image, "PNG")


async def test_the_text_of_a_picture_is_put_where_the_picture_is(service: OcrService) -> None:
    data = document_with(picture_of(OTHER), (60, 150, 535, 270), LINES[:4])
    with pymupdf.open(stream=data, filetype="pdf") as document:
        for row, line in enumerate(LINES[4:]):
            document[0].insert_text((60, 300 + row * 20), line, fontsize=12)
        data = bytes(document.tobytes())
    page = await read(service, data)
    assert samples.words(page.text) == samples.words(" ".join([*LINES[:4], *OTHER, *LINES[4:]]))
    decision = page.decision
    assert (decision.method.value, decision.reason.value) == ("mixed", "uncovered_pictures")
    ((left, top, right, bottom),) = decision.regions
    assert (round(left), round(top), round(right), round(bottom)) == (60, 150, 535, 270)
    assert page.confidence is not None
    assert 0.8 < page.confidence < 1


async def test_a_picture_within_the_bounds_of_others_is_read_once(service: OcrService) -> None:
    """Two pictures make the shape of an L, and the third is in its notch."""
    with pymupdf.open(stream=document_with(picture_of(OTHER), (110, 330, 585, 450)), filetype="pdf") as document:
        page, gray = document[0], samples.save(Image.new("L", (80, 300), 230), "PNG")
        page.insert_image((10, 300, 90, 600), stream=gray, keep_proportion=False)
        page.insert_image((10, 500, 585, 600), stream=gray, keep_proportion=False)
        data = bytes(document.tobytes())
    found = await read(service, data)
    (region,) = found.decision.regions
    assert region == pytest.approx((10, 300, 585, 600))
    assert found.text.count("barrels") == 1


@pytest.mark.parametrize(
    ("picture", "box"),
    [
        (photo(), (60, 400, 535, 700)),
        (foliage(), (60, 400, 535, 700)),
        (samples.save(Image.new("L", (400, 300), 200), "PNG"), (60, 400, 535, 700)),
        (seal(), (60, 400, 360, 700)),
        (picture_of(OTHER), (60, 700, 120, 715)),  # an icon
        (photo(), (0, 0, 595, 842)),  # the ground of the page
    ],
    ids=["photo", "foliage", "plain", "seal", "icon", "ground"],
)
async def test_pictures_without_text_leave_a_page_direct(
    service: OcrService, picture: bytes, box: tuple[float, ...]
) -> None:
    page = await read(service, document_with(picture, box, LINES + LINES))
    assert (page.decision.method.value, page.decision.reason.value) == ("direct", "text_layer")
    assert samples.words(page.text) == samples.words(" ".join(LINES + LINES))


@pytest.mark.parametrize("engine", ["pymupdf", "pypdfium2"])
async def test_text_beside_a_picture_that_is_too_large_is_returned(engine: Literal["pymupdf", "pypdfium2"]) -> None:
    data = document_with(picture_of(OTHER, 950, 240), (60, 400, 535, 520))
    small = build(OcrSettings(pdf_engine=engine, workers=1, max_page_pixels=600_000))
    async with small.lifespan():
        page = await read(small, data, layout=True)
    assert page.error is not None
    assert "a picture on page 1 has more than 600,000 pixels" in page.error.message
    assert page.text.splitlines() == list(LINES)
    assert page.decision.method.value == "direct"
    assert page.layout is not None
    assert page.layout.word_count == len(" ".join(LINES).split())


async def test_a_scan_in_strips_under_a_stamp_is_a_scan(service: OcrService) -> None:
    scan = Image.open(io.BytesIO(samples.picture(samples.page_text(1), form="PNG")))
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        step = scan.height // 5
        for top in range(0, scan.height - 4, step):
            strip = scan.crop((0, top, scan.width, min(top + step, scan.height)))
            box = (0, 842 * top / scan.height, 595, 842 * min(top + step, scan.height) / scan.height)
            page.insert_image(box, stream=samples.save(strip, "PNG"), keep_proportion=False)
        page.insert_text((60, 25), "Case 2:21-cv-00123-ABC  Document 45-2  Filed 03/04/21  Page 7 of 19", fontsize=9)
        data = bytes(document.tobytes())
    page = await read(service, data)
    assert page.decision.method.value == "ocr"
    assert " ".join(samples.words(samples.page_text(1))) in " ".join(samples.words(page.text))


async def test_a_scan_under_a_long_letterhead_is_read(service: OcrService) -> None:
    scan = samples.picture("\n".join(["", "", "", "", "", "", *LINES]), form="PNG")
    head = tuple("Registry of the district, certified copy under the seal of the registrar of deeds" for _ in range(6))
    page = await read(service, document_with(scan, (0, 0, 595, 842), head, top=40))
    assert page.decision.reason.value == "uncovered_pictures"
    assert " ".join([*head, *LINES]) in " ".join(samples.words(page.text))


async def test_outlined_letters_above_a_footer_are_read(service: OcrService) -> None:
    with pymupdf.open(stream=samples.text_pdf("\n".join(LINES[:5])), filetype="pdf") as source:
        outlined = pymupdf.open("svg", source[0].get_svg_image(text_as_path=True).encode())
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        page.show_pdf_page(page.rect, pymupdf.open("pdf", outlined.convert_to_pdf()), 0)
        page.insert_text((60, 820), "Printed 2024-01-01 from portal.example.org", fontsize=8)
        data = bytes(document.tobytes())
    page = await read(service, data)
    assert (page.decision.method.value, page.decision.reason.value) == ("ocr", "vector_text")
    assert " ".join(LINES[:5]) in " ".join(samples.words(page.text))


GERMAN = "\n".join(f"Die Straße führt über den Fluß zur großen Mühle, Nummer {number}" for number in range(201, 206))


async def test_a_good_layer_in_another_language_is_kept(service: OcrService) -> None:
    page = await read(service, samples.layered_pdf(GERMAN, GERMAN))
    assert samples.words(page.text) == samples.words(GERMAN)
    assert (page.decision.method.value, page.decision.reason.value) == ("direct", "invisible_text_kept")


async def test_a_layer_that_reads_well_but_says_something_else_is_replaced(service: OcrService) -> None:
    page = await read(service, samples.layered_pdf(samples.page_text(1), "\n".join(OTHER * 3)))
    assert samples.words(page.text) == samples.words(samples.page_text(1))
    assert (page.decision.method.value, page.decision.reason.value) == ("ocr", "invisible_text")
    assert page.comparison is not None
    assert page.comparison.kept == "ocr"


async def test_a_layer_of_only_the_first_lines_is_replaced(service: OcrService) -> None:
    text = "\n".join([*LINES, *LINES])
    page = await read(service, samples.layered_pdf(text, "\n".join(LINES[:3])))
    assert samples.words(page.text) == samples.words(text)


def mapped_pdf(text: str, shift: int) -> bytes:
    """A page that looks right, whose font maps each small letter to another."""
    pairs = "".join(f"<{97 + n:02X}> <{97 + (n + shift) % 26:04X}>\n" for n in range(26))
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def "
        f"1 begincodespacerange <00> <FF> endcodespacerange 26 beginbfchar\n{pairs}endbfchar endcmap end end"
    ).encode()
    lines = b"".join(b"(%s) Tj T* " % line.encode() for line in text.splitlines())
    content = b"BT /F1 14 Tf 60 760 Td 22 TL " + lines + b"ET"
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 5 0 R>>"
    return samples.raw_pdf(
        f"/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 {font}>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap),
    )


async def test_letters_mapped_to_other_letters_are_found(service: OcrService) -> None:
    data = mapped_pdf(samples.page_text(1), 3)
    page = await read(service, data)
    assert samples.words(page.text) == samples.words(samples.page_text(1))
    assert (page.decision.method.value, page.decision.reason.value) == ("ocr", "implausible_text")
    (look,) = await service.reader.look(data, Choices())
    assert look.decision.reason.value == "implausible_text"


async def test_a_language_that_is_not_known_is_read_directly(service: OcrService) -> None:
    text = "\n".join(["Xqz vrk pltz wgh bnmk zzxr tqpl kkjw", "Vrkz qwgh plmt bnxz jjkw rtqz lpkv"] * 3)
    page = await read(service, samples.text_pdf(text))
    assert samples.words(page.text) == samples.words(text)
    assert (page.decision.method.value, page.decision.reason.value) == ("direct", "layer_kept")


async def test_forced_ocr_reports_what_the_layer_would_have_been_worth(service: OcrService) -> None:
    page = await read(service, samples.text_pdf("\n".join(LINES[:2])), force=True)
    assert page.decision.reason.value == "forced"
    assert page.comparison is not None
    assert page.comparison.kept == "ocr"
    assert page.comparison.layer > 0.8


async def test_the_places_of_words_are_those_of_both_readings(service: OcrService) -> None:
    data = document_with(picture_of(OTHER), (60, 300, 535, 420), LINES[:2])
    page = await read(service, data, layout=True)
    assert page.layout is not None
    words = {word.text: word for block in page.layout.blocks for line in block.lines for word in line.words}
    assert words["harbour"].box.top < 70
    keeper = words["keeper"].box
    assert 300 < keeper.top < keeper.bottom < 340
    assert 60 < keeper.left < keeper.right < 535
