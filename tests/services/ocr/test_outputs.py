"""The formats and the choice of pages, as clients of OCRService ask for them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from google.protobuf import json_format
from PIL import Image

from artificer.ocr.v1 import ocr_service_pb2 as pb

from . import samples
from .test_servicer import INVALID, refused

if TYPE_CHECKING:
    from artificer.ocr.v1.ocr_service_pb2_grpc import OCRServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINE = "The harbour master kept a careful record"
NAMES = ("TEXT", "WORDS", "MARKDOWN", "HOCR", "ALTO", "TSV")
MEDIA = {
    "TEXT": "text/plain; charset=utf-8",
    "WORDS": "application/json",
    "MARKDOWN": "text/markdown; charset=utf-8",
    "HOCR": "text/vnd.hocr+html; charset=utf-8",
    "ALTO": "application/alto+xml; charset=utf-8",
    "TSV": "text/tab-separated-values; charset=utf-8",
}


def form(name: str) -> pb.OutputFormat.ValueType:
    return pb.OutputFormat.Value(f"OUTPUT_FORMAT_{name}")


def words_of(name: str, text: str) -> list[str]:
    """The words that a reader of a format finds."""
    match name:
        case "WORDS":
            answer = json_format.Parse(text, pb.ProcessPDFResponse())
            lines = [line for layout in answer.layouts for block in layout.blocks for line in block.lines]
            return [word.text for line in lines for word in line.words]
        case "HOCR":
            spans = ElementTree.fromstring(text).iter("{http://www.w3.org/1999/xhtml}span")
            return ["".join(one.itertext()) for one in spans if one.get("class") == "ocrx_word"]
        case "ALTO":
            strings = ElementTree.fromstring(text).iter("{http://www.loc.gov/standards/alto/ns-v4#}String")
            return [one.get("CONTENT", "") for one in strings]
        case "TSV":
            return [row.split("\t")[11] for row in text.splitlines() if row.startswith("5")]
    return text.split()


@pytest.mark.parametrize("name", NAMES)
async def test_a_scan_in_every_format(stub: OCRServiceAsyncStub, name: str) -> None:
    request = pb.RenderDocumentRequest(document_data=samples.scan_pdf(LINE), output=form(name))
    answer = await stub.RenderDocument(request)
    assert answer.content_type == MEDIA[name]
    assert words_of(name, answer.data.decode()) == LINE.split()


@pytest.mark.parametrize("dpi", [96, 300, 600])
async def test_the_pixels_of_an_image_are_its_own(stub: OCRServiceAsyncStub, dpi: int) -> None:
    """Whether it is reduced or enlarged to be read, and whatever it says of its resolution."""
    picture = Image.open(io.BytesIO(samples.picture("\n".join([LINE] * 4), form="PNG"))).crop((0, 60, 1240, 400))
    small = samples.save(picture.resize((620, 170)), "PNG", dpi=dpi)
    answer = await stub.RenderDocument(pb.RenderDocumentRequest(document_data=small, output=form("TSV")))
    page, *rows = [row.split("\t") for row in answer.data.decode().splitlines()[1:]]
    assert page[8:10] == ["620", "170"]
    left, width = next((int(row[6]), int(row[8])) for row in rows if row[11:] == ["harbour"])
    ink = picture.resize((620, 170)).point(lambda value: 255 * (value < 128)).getbbox()
    assert ink is not None
    assert ink[0] < left < left + width < ink[2]


@pytest.mark.parametrize("name", NAMES)
async def test_the_accept_header_of_a_request_chooses(stub: OCRServiceAsyncStub, name: str) -> None:
    request = pb.RenderDocumentRequest(document_data=samples.picture(LINE))
    answer = await stub.RenderDocument(request, metadata=[("accept", MEDIA[name])])
    assert answer.content_type == MEDIA[name]
    assert words_of(name, answer.data.decode()) == LINE.split()


@pytest.mark.parametrize("name", ["MARKDOWN", "HOCR", "ALTO", "TSV"])
async def test_files_beside_the_text(stub: OCRServiceAsyncStub, name: str) -> None:
    data = samples.scan_pdf(LINE, "Second page")
    whole = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, output=form(name)))
    assert words_of(name, whole.content) == f"{LINE} Second page".split()
    assert not whole.layouts
    pages = stub.ProcessPDFStream(pb.ProcessPDFStreamRequest(pdf_data=data, output=form(name)))
    assert [words_of(name, page.content) async for page in pages] == [LINE.split(), ["Second", "page"]]
    image = pb.ExtractTextFromImageRequest(image_data=samples.picture(LINE), output=form(name))
    assert words_of(name, (await stub.ExtractTextFromImage(image)).content) == LINE.split()


async def test_words_beside_the_text(stub: OCRServiceAsyncStub) -> None:
    data = samples.scan_pdf(LINE)
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, output=form("WORDS")))
    (layout,) = answer.layouts
    assert (layout.page_number, layout.width, layout.height, answer.content) == (1, 595, 842, "")
    (line,) = layout.blocks[0].lines
    assert [word.text for word in line.words] == LINE.split()
    first = line.words[0]
    assert abs(first.box.left - 60) < 3  # where the sample writes it
    assert abs(first.box.bottom - 80) < 3
    assert 0.8 < first.confidence <= 1
    assert not (await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data))).layouts


async def test_pixels_of_an_image_are_its_own(stub: OCRServiceAsyncStub) -> None:
    image = samples.save(samples.line_image("Hello"), "PNG", dpi=0)  # states no resolution
    answer = await stub.RenderDocument(pb.RenderDocumentRequest(document_data=image, output=form("TSV")))
    page, *_, word = [row.split("\t") for row in answer.data.decode().splitlines()[1:]]
    assert page[6:10] == ["0", "0", "1200", "160"]
    assert abs(int(word[6]) - 40) < 8


async def test_only_the_pages_that_are_asked_for(stub: OCRServiceAsyncStub) -> None:
    data = samples.text_pdf(*(f"page {number}" for number in range(1, 21)))
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, pages="2-3,7,19-"))
    assert answer.text.split("\f") == ["page 2", "page 3", "page 7", "page 19", "page 20"]
    assert [report.page_number for report in answer.metadata.page_reports] == [2, 3, 7, 19, 20]
    assert answer.metadata.pages == 20
    stream = stub.ProcessPDFStream(pb.ProcessPDFStreamRequest(pdf_data=data, pages="1-12"))
    assert [page.page_number async for page in stream] == list(range(1, 13))
    check = await stub.CheckPDFNeedsOCR(pb.CheckPDFNeedsOCRRequest(pdf_data=data, pages="5"))
    assert [report.page_number for report in check.page_reports] == [5]
    rendered = await stub.RenderDocument(pb.RenderDocumentRequest(document_data=data, pages="4"))
    assert rendered.data == b"page 4"


@pytest.mark.parametrize("pages", ["0", "3-1", "x", "21", "1,2-21"])
async def test_pages_that_are_none(stub: OCRServiceAsyncStub, pages: str) -> None:
    data = samples.text_pdf(*(f"page {number}" for number in range(1, 21)))
    code, _, fields = await refused(stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, pages=pages)))
    assert (code, fields) == (INVALID, ["pages"])


async def test_a_format_that_is_none(stub: OCRServiceAsyncStub) -> None:
    request = pb.RenderDocumentRequest(document_data=samples.text_pdf("x"), output=99)  # type: ignore[arg-type]
    code, _, fields = await refused(stub.RenderDocument(request))
    assert (code, fields) == (INVALID, ["output"])
