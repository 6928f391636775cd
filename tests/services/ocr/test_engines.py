"""Every PDF engine with every OCR engine reads the same, routes the same and refuses the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from artificer_services.ocr.build import OcrService, OcrSettings, build
from artificer_services.ocr.engine import Choices, Page
from artificer_services.ocr.errors import BadDocument, OcrError, PasswordNeeded, PasswordWrong, TooLarge

from . import samples

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, TWO = samples.page_text(1), samples.page_text(2)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[(pdf, ocr) for pdf in ("pymupdf", "pypdfium2") for ocr in ("tesserocr", "pytesseract")],
    ids="-".join,
)
async def service(request: Any) -> AsyncIterator[OcrService]:
    pdf, ocr = request.param
    made = build(OcrSettings(pdf_engine=pdf, ocr_engine=ocr, workers=2, max_page_pixels=20_000_000))
    async with made.lifespan():
        yield made


async def read(service: OcrService, data: bytes, choices: Choices | None = None) -> list[Page]:
    async with aclosing(service.reader.pages(data, choices or Choices())) as pages:
        return [page async for page in pages]


@pytest.mark.parametrize(
    ("data", "texts", "reasons"),
    [
        (samples.text_pdf(ONE, TWO), [ONE, TWO], ["text_layer", "text_layer"]),
        (samples.scan_pdf(ONE), [ONE], ["image"]),
        (samples.scan_pdf(ONE, form="PNG"), [ONE], ["image"]),
        (samples.scan_pdf(ONE, rotation=90), [ONE], ["image"]),
        (samples.scan_pdf(ONE, rotation=180), [ONE], ["image"]),
        (samples.scan_pdf(ONE, dpi=300), [ONE], ["image"]),
        (samples.masked_scan_pdf(ONE), [ONE], ["image"]),
        (samples.mixed_pdf(ONE, TWO), [ONE, TWO], ["text_layer", "image"]),
        (samples.layered_pdf(ONE, TWO), [ONE], ["invisible_text"]),
        (samples.unmapped_pdf(ONE), [ONE], ["garbled"]),
        (samples.text_pdf(""), [""], ["blank"]),
    ],
    ids=[
        "text",
        "scan",
        "lossless",
        "turned",
        "upside-down",
        "300-dpi",
        "masked",
        "mixed",
        "layered",
        "unmapped",
        "blank",
    ],
)
async def test_documents(service: OcrService, data: bytes, texts: list[str], reasons: list[str]) -> None:
    pages = await read(service, data)
    assert [samples.words(page.text) for page in pages] == [samples.words(text) for text in texts]
    assert [page.decision.reason.value for page in pages] == reasons
    assert all(page.confidence is not None and 0 <= page.confidence <= 1 for page in pages)


async def test_images(service: OcrService) -> None:
    image = await service.reader.image(samples.picture(ONE), "image/jpeg", Choices())
    assert samples.words(image.text) == samples.words(ONE)
    assert 0.8 < image.confidence <= 1


async def test_two_languages(service: OcrService) -> None:
    (page,) = await read(service, samples.scan_pdf(ONE), Choices(languages=("eng", "deu")))
    assert samples.words(page.text) == samples.words(ONE)


@pytest.mark.parametrize(
    ("data", "password", "error"),
    [
        (samples.encrypted_pdf(ONE, "sesame"), None, PasswordNeeded),
        (samples.encrypted_pdf(ONE, "sesame"), "simsim", PasswordWrong),
        (b"%PDF-1.7\n" + bytes(500) + b"startxref\n9\n%%EOF", None, BadDocument),
        (samples.huge_page_pdf(), None, TooLarge),
        (samples.image_bomb_pdf(10_000), None, TooLarge),
    ],
    ids=["encrypted", "wrong-password", "garbage", "huge-page", "image-bomb"],
)
async def test_refusals(service: OcrService, data: bytes, password: str | None, error: type[OcrError]) -> None:
    with pytest.raises(error):
        await read(service, data, Choices(password=password))


async def test_a_password_opens(service: OcrService) -> None:
    (page,) = await read(service, samples.encrypted_pdf(ONE, "sesame"), Choices(password="sesame"))
    assert samples.words(page.text) == samples.words(ONE)


async def test_pymupdf_is_not_imported_if_pypdfium2_is_set() -> None:
    program = (
        "import sys; import artificer_services.ocr.build;"
        "from artificer_services.ocr.workers.libraries import pdf_engine;"
        "pdf_engine('pypdfium2'); sys.exit(bool({'pymupdf', 'fitz'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: ASYNC221  # nothing else runs in this test
