"""Readers with the real engines: PDF documents and images by the OCR service, office documents and HTML by Pandoc."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from artificer_services.ai.reading.errors import NoReader
from artificer_services.ai.reading.read import read_asset, reader_of
from artificer_services.ai.reading.text_reader import TextReader
from artificer_services.ai.reading.values import AssetKind, CountsPages, Reader
from artificer_services.convert.engine import Converter
from artificer_services.convert.settings import ConvertSettings
from artificer_services.kit.errors import Invalid, ServiceError
from artificer_services.ocr.build import OcrService, OcrSettings
from artificer_services.readers import PandocReader, readers_of
from tests.services.ai.samples import handbook
from tests.services.convert.samples import docx, paragraph
from tests.services.ocr.samples import picture
from tests.services.ocr.test_servicer import damaged_pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readers() -> AsyncIterator[Sequence[Reader]]:
    service = OcrService(OcrSettings(workers=1))
    async with service.lifespan():
        yield TextReader(), *readers_of(service.reader, Converter(ConvertSettings(workers=1)))


async def test_a_pdf_document_has_numbered_pages_with_headings(readers: Sequence[Reader]) -> None:
    data = handbook(("Holidays", "Everyone has 30 days of leave."), ("Travel", "Trains are booked in second class."))
    reading = await read_asset(readers, data)
    assert reading.kind is AssetKind.PDF
    assert reading.content_type == "application/pdf"
    assert [page.number for page in reading.pages] == [1, 2]
    assert reading.pages[0].text == "# Holidays\n\nEveryone has 30 days of leave."
    assert "second class" in reading.pages[1].text


async def test_pages_are_counted_without_reading_them(readers: Sequence[Reader]) -> None:
    reader = reader_of(readers, AssetKind.PDF)
    assert isinstance(reader, CountsPages)
    assert await reader.page_count(handbook(("A", "one"), ("B", "two"), ("C", "three"))) == 3
    assert not isinstance(reader_of(readers, AssetKind.TEXT), CountsPages)


async def test_a_damaged_page_is_left_out(readers: Sequence[Reader]) -> None:
    data = damaged_pdf("The first page", "The second page", bad=1)
    reader = reader_of(readers, AssetKind.PDF)
    assert isinstance(reader, CountsPages)
    assert await reader.page_count(data) == 2
    assert [page.text.strip() for page in (await read_asset(readers, data)).pages] == ["", "The second page"]


async def test_a_scanned_image_is_read_by_ocr(readers: Sequence[Reader]) -> None:
    reading = await read_asset(readers, picture("The bell was rung twice when fog covered the entrance."))
    assert reading.kind is AssetKind.IMAGE
    assert reading.content_type == "image/jpeg"
    assert "rung twice when fog" in " ".join(reading.pages[0].text.split())


async def test_a_word_document_keeps_its_headings(readers: Sequence[Reader]) -> None:
    data = docx(paragraph("Opening hours", "Heading1"), paragraph("The desk opens at nine."))
    reading = await read_asset(readers, data, "", "hours.docx")
    assert reading.kind is AssetKind.OFFICE
    assert [page.number for page in reading.pages] == [0]
    assert reading.pages[0].text.split("\n\n")[:2] == ["# Opening hours", "The desk opens at nine.\n"]


@pytest.mark.parametrize("content_type", ["text/html; charset=iso-8859-1", "text/html;charset=latin-1"])
async def test_html_becomes_markdown_without_scripts(readers: Sequence[Reader], content_type: str) -> None:
    page = "<html><head><script>evil()</script></head><body><h2>Caf\u00e9</h2><p>Open <b>daily</b>.</p></body></html>"
    reading = await read_asset(readers, page.encode("latin-1"), content_type)
    assert reading.kind is AssetKind.HTML
    assert reading.pages[0].text == "## Caf\u00e9\n\nOpen **daily**.\n"


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n" + b"garbage" * 100,
        b"\x89PNG\r\n\x1a\n" + b"garbage" * 100,
        b"PK\x03\x04" + b"garbage" * 100,
        b"   \n \n ",
        docx(),
    ],
    ids=["pdf", "png", "zip", "blank", "empty-docx"],
)
async def test_damaged_and_empty_assets_are_the_clients_mistake(readers: Sequence[Reader], data: bytes) -> None:
    with pytest.raises(ServiceError) as error:
        await read_asset(readers, data)
    assert error.value.kind is Invalid.kind
    assert error.value.faults[0].field == "data"


async def test_a_text_that_is_too_long_is_refused(readers: Sequence[Reader]) -> None:
    with pytest.raises(Invalid, match="at most 10"):
        await read_asset(readers, b"eleven char", max_chars=10)


async def test_without_pandoc_the_error_says_what_to_install() -> None:
    converter = Converter(ConvertSettings(pandoc="/nowhere/pandoc"))
    readers = [PandocReader(converter)]
    with pytest.raises(NoReader, match=r"artificer-services\[convert\]"):
        await read_asset(readers, b"<html><p>x</p></html>")
    with pytest.raises(NoReader, match="kind text"):
        await read_asset(readers, b"x")
