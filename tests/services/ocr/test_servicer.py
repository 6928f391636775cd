"""OCRService through gRPC: what it reads, and what it answers to what it cannot read."""

from __future__ import annotations

import io
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from PIL import Image

from artificer.ocr.v1 import ocr_service_pb2 as pb

from . import samples

if TYPE_CHECKING:
    from artificer.ocr.v1.ocr_service_pb2_grpc import OCRServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="session")

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, list[str]]:
    """The status of a call that must fail: code, message, and the fields that are named as at fault."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailers = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (caught.value.code().value[0], caught.value.details())
    fields = []
    for detail in status.details:
        violation = error_details_pb2.BadRequest()
        if detail.Unpack(violation):
            fields += [item.field for item in violation.field_violations]
    return caught.value.code(), caught.value.details() or "", fields


def reasons(reports: Any) -> list[str]:
    return [pb.PageReason.Name(report.reason).removeprefix("PAGE_REASON_") for report in reports]


# How each kind of page is read: document, text, and method and reason per page.
ONE, TWO = samples.page_text(1), samples.page_text(2)
DOCUMENTS = {
    "born digital": (samples.text_pdf(ONE, TWO), f"{ONE} {TWO}", "direct", ["TEXT_LAYER", "TEXT_LAYER"]),
    "one short line": (samples.text_pdf("Hello"), "Hello", "direct", ["TEXT_LAYER"]),
    "scanned": (samples.scan_pdf(ONE, TWO), f"{ONE} {TWO}", "ocr", ["IMAGE", "IMAGE"]),
    "lossless scan": (samples.scan_pdf(ONE, form="PNG"), ONE, "ocr", ["IMAGE"]),
    "scan turned by 90": (samples.scan_pdf(ONE, rotation=90), ONE, "ocr", ["IMAGE"]),
    "scan turned by 180": (samples.scan_pdf(ONE, rotation=180), ONE, "ocr", ["IMAGE"]),
    "scan turned by 270": (samples.scan_pdf(ONE, rotation=270), ONE, "ocr", ["IMAGE"]),
    "half and half": (samples.mixed_pdf(ONE, TWO), f"{ONE} {TWO}", "mixed", ["TEXT_LAYER", "IMAGE"]),
    "earlier OCR": (samples.layered_pdf(ONE, "Wrqxg vkztj " * 40), ONE, "ocr", ["INVISIBLE_TEXT"]),
    "unmapped glyphs": (samples.unmapped_pdf(ONE), ONE, "ocr", ["GARBLED"]),
    "blank": (samples.text_pdf(""), "", "direct", ["BLANK"]),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_each_page_is_read_the_way_it_needs(stub: OCRServiceAsyncStub, name: str) -> None:
    data, text, method, expected = DOCUMENTS[name]
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data))
    about = answer.metadata
    assert samples.words(answer.text) == samples.words(text)
    assert (about.method, reasons(about.page_reports), about.pages) == (method, expected, len(expected))
    ocr = [report for report in about.page_reports if report.method == "ocr"]
    assert about.ocr_used == bool(ocr)
    assert about.ocr_cost == 0.25 * len(ocr)
    assert about.has_text_content == ("TEXT_LAYER" in expected)
    assert (0.8 < about.ocr_confidence <= 1) if ocr else about.ocr_confidence == 0
    assert about.processing_time_ms >= 0


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_check_predicts_what_processing_does(stub: OCRServiceAsyncStub, name: str) -> None:
    data, _, method, expected = DOCUMENTS[name]
    check = await stub.CheckPDFNeedsOCR(pb.CheckPDFNeedsOCRRequest(pdf_data=data))
    assert (check.needs_ocr, check.pages, reasons(check.page_reports)) == (method != "direct", len(expected), expected)
    assert check.has_text_content == ("TEXT_LAYER" in expected)
    assert check.estimated_ocr_cost == 0.25 * sum(report.method == "ocr" for report in check.page_reports)
    assert check.text_length == sum(report.text_length for report in check.page_reports)
    assert not any(report.HasField("confidence") for report in check.page_reports)


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_stream_gives_the_same_pages_in_order(stub: OCRServiceAsyncStub, name: str) -> None:
    data, text, _, expected = DOCUMENTS[name]
    pages = [page async for page in stub.ProcessPDFStream(pb.ProcessPDFStreamRequest(pdf_data=data))]
    assert [page.page_number for page in pages] == list(range(1, len(expected) + 1))
    assert {page.pages for page in pages} == {len(expected)}
    assert samples.words(" ".join(page.text for page in pages)) == samples.words(text)
    assert reasons(pages) == expected
    assert all(0.8 < page.confidence < 1 for page in pages if page.method == "direct")


async def test_pages_are_separated_by_form_feeds(stub: OCRServiceAsyncStub) -> None:
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=samples.text_pdf("one", "", "three")))
    assert answer.text == "one\f\fthree"


async def test_more_pages_than_one_inspection(stub: OCRServiceAsyncStub) -> None:
    texts = [f"page {number}" for number in range(1, 21)]
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=samples.text_pdf(*texts)))
    assert answer.text.split("\f") == texts


async def test_force_ocr_reads_every_page_by_ocr(stub: OCRServiceAsyncStub) -> None:
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=samples.text_pdf(ONE), force_ocr=True))
    assert samples.words(answer.text) == samples.words(ONE)
    assert (answer.metadata.method, reasons(answer.metadata.page_reports)) == ("ocr", ["FORCED"])
    assert answer.metadata.has_text_content


async def test_an_earlier_ocr_layer_is_kept_when_asked(stub: OCRServiceAsyncStub) -> None:
    data = samples.layered_pdf(ONE, TWO)
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, keep_invisible_text=True))
    assert samples.words(answer.text) == samples.words(TWO)
    (report,) = answer.metadata.page_reports
    assert report.invisible_text
    assert (answer.metadata.method, reasons([report])) == ("direct", ["INVISIBLE_TEXT_KEPT"])


@pytest.mark.parametrize(
    ("threshold", "method"),
    [
        (None, "ocr"),  # 100: a full-page picture with five words over it
        (100, "ocr"),
        (0, "direct"),  # explicit: no page lacks text
        (4, "direct"),
    ],
)
async def test_the_threshold_decides_on_sparse_text(
    stub: OCRServiceAsyncStub, threshold: int | None, method: str
) -> None:
    with samples.pymupdf.open() as document:
        samples.add_scan(document, ONE).insert_text((60, 30), "stamped by the harbour office")
        data = bytes(document.tobytes())
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, min_text_threshold=threshold))
    assert answer.metadata.method == method


async def test_a_high_threshold_distrusts_text_alone(stub: OCRServiceAsyncStub) -> None:
    request = pb.ProcessPDFRequest(pdf_data=samples.text_pdf(ONE), min_text_threshold=5000)
    answer = await stub.ProcessPDF(request)
    assert reasons(answer.metadata.page_reports) == ["BELOW_THRESHOLD"]


async def test_a_password_opens_an_encrypted_document(stub: OCRServiceAsyncStub) -> None:
    data = samples.encrypted_pdf(ONE, "open sesame")
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, password="open sesame"))
    assert samples.words(answer.text) == samples.words(ONE)


async def test_a_document_of_64_mib(stub: OCRServiceAsyncStub) -> None:
    small = samples.text_pdf(ONE)
    ballast = b"%" + b"x" * (64 * 1024 * 1024 - len(small)) + b"\n"
    head, _, tail = small.partition(b"\n")
    with samples.pymupdf.open(stream=head + b"\n" + ballast + tail, filetype="pdf") as document:
        assert document.is_repaired  # the offsets have moved, so the parser must search the whole file
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=head + b"\n" + ballast + tail))
    assert samples.words(answer.text) == samples.words(ONE)


WHOLE = samples.scan_pdf(ONE, TWO)
NO_PAGES = samples.objects_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")
SECRET = samples.encrypted_pdf(ONE, "open sesame")
BAD_PDFS: dict[str, tuple[bytes, dict[str, Any], grpc.StatusCode, str, list[str]]] = {
    "empty": (b"", {}, INVALID, "empty", ["pdf_data"]),
    "random": (bytes(range(256)) * 40, {}, INVALID, "not a PDF", ["pdf_data"]),
    "a PNG": (samples.picture(ONE, form="PNG"), {}, INVALID, "image/png", ["pdf_data"]),
    "only a header": (b"%PDF-1.7\n", {}, INVALID, "damaged", ["pdf_data"]),
    "no pages": (NO_PAGES, {}, INVALID, "no pages", ["pdf_data"]),
    "cut to a third": (WHOLE[: len(WHOLE) // 3], {}, INVALID, "end of the PDF document is lost", ["pdf_data"]),
    "garbage inside": (b"%PDF-1.7\n" + bytes(500) + b"startxref\n9\n%%EOF", {}, INVALID, "damaged", ["pdf_data"]),
    "encrypted": (SECRET, {}, grpc.StatusCode.FAILED_PRECONDITION, "password is required", ["password"]),
    "empty password": (
        SECRET,
        {"password": ""},
        grpc.StatusCode.FAILED_PRECONDITION,
        "password is required",
        ["password"],
    ),
    "wrong password": (SECRET, {"password": "sesame"}, INVALID, "does not open", ["password"]),
    "endless password": (SECRET, {"password": "x" * 100_000}, INVALID, "longer", ["password"]),
    "square kilometre": (samples.huge_page_pdf(), {}, INVALID, "inches", ["pdf_data"]),
    "picture of 10^8": (samples.image_bomb_pdf(10_000), {}, INVALID, "pixels", ["pdf_data"]),
    "21 pages": (samples.text_pdf(*"abcdefghijklmnopqrstu"), {}, INVALID, "at most 20", ["pdf_data"]),
    "66 MiB": (b"%PDF-1.7\n" + bytes(66 * 1024 * 1024), {}, INVALID, "bytes", ["pdf_data"]),
    "negative threshold": (WHOLE, {"min_text_threshold": -1}, INVALID, "negative", ["min_text_threshold"]),
}
CHOICES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such language": ({"languages": ["tlh"]}, "deu, eng", "languages"),
    "a path": ({"languages": ["../../etc/passwd"]}, "not installed", "languages"),
    "a path to real data": ({"languages": ["../tessdata/eng"]}, "not installed", "languages"),
    "an empty language": ({"languages": [""]}, "not installed", "languages"),
    "page layout data": ({"languages": ["osd"]}, "not installed", "languages"),
    "dpi zero": ({"dpi": 0}, "from 50", "dpi"),
    "dpi below zero": ({"dpi": -300}, "from 50", "dpi"),
    "dpi beyond": ({"dpi": 100_000}, "from 50", "dpi"),
}


@pytest.mark.parametrize("name", BAD_PDFS)
async def test_bad_documents_are_the_clients_fault_in_every_method(stub: OCRServiceAsyncStub, name: str) -> None:
    data, extra, code, message, fields = BAD_PDFS[name]
    calls: list[Awaitable[Any]] = [
        stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, **extra)),
        stub.CheckPDFNeedsOCR(pb.CheckPDFNeedsOCRRequest(pdf_data=data, **extra)),
        anext(aiter(stub.ProcessPDFStream(pb.ProcessPDFStreamRequest(pdf_data=data, **extra)))),
    ]
    for call in calls:
        got = await refused(call)
        assert (got[0], got[2]) == (code, fields)
        assert message in got[1]


@pytest.mark.parametrize("name", CHOICES)
async def test_bad_choices_are_named(stub: OCRServiceAsyncStub, name: str) -> None:
    options, message, field = CHOICES[name]
    image = samples.picture(ONE)
    for call in (
        stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=WHOLE, **options)),
        stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=image, **options)),
    ):
        code, text, fields = await refused(call)
        assert (code, fields) == (INVALID, [field])
        assert message in text


async def test_a_resolution_that_does_not_fit_is_refused(stub: OCRServiceAsyncStub) -> None:
    request = pb.ProcessPDFRequest(pdf_data=samples.text_pdf(ONE), force_ocr=True, dpi=600)  # 35 megapixels
    code, message, fields = await refused(stub.ProcessPDF(request))
    assert (code, fields) == (INVALID, ["dpi"])
    assert "at most 454 dpi" in message


def damaged_pdf(*texts: str, bad: int) -> bytes:
    """Scanned pages, of which the picture of page `bad` is no picture."""
    with samples.pymupdf.open(stream=samples.scan_pdf(*texts, form="PNG"), filetype="pdf") as document:
        xref = document.get_page_images(bad - 1)[0][0]
        document.update_stream(xref, b"this is no picture", compress=False)
        document.xref_set_key(xref, "Filter", "/DCTDecode")
        return bytes(document.tobytes())


@pytest.mark.parametrize("bad", [1, 2])
async def test_a_damaged_page_does_not_fail_the_others(stub: OCRServiceAsyncStub, bad: int) -> None:
    texts = [ONE, TWO]
    data = damaged_pdf(*texts, bad=bad)
    texts[bad - 1] = ""
    pages = [page async for page in stub.ProcessPDFStream(pb.ProcessPDFStreamRequest(pdf_data=data))]
    assert [samples.words(page.text) for page in pages] == [samples.words(text) for text in texts]
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data))
    assert [samples.words(text) for text in answer.text.split("\f")] == [samples.words(text) for text in texts]
    assert (answer.metadata.pages, answer.metadata.method, answer.metadata.ocr_cost) == (2, "ocr", 0.25)
    for report in (pages[bad - 1].report, answer.metadata.page_reports[bad - 1]):
        assert (report.page_number, report.method, report.reason) == (bad, "", pb.PAGE_REASON_FAILED)
        assert report.error.code == INVALID.value[0]
        assert f"page {bad} of the PDF document" in report.error.message
        assert not report.HasField("confidence")
    assert not pages[2 - bad].report.HasField("error")


async def test_a_damaged_frame_does_not_fail_the_others(stub: OCRServiceAsyncStub) -> None:
    file = io.BytesIO()
    frames = [samples.line_image(f"Frame {name}", "L") for name in ("one", "two", "three")]
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:], compression="tiff_adobe_deflate")
    data = bytearray(file.getvalue())
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        start = image.tag_v2[273][0]  # type: ignore[attr-defined]  # of the pixels
    data[start : start + 40] = bytes(40)
    answer = await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=bytes(data)))
    assert answer.text == "Frame one\f\fFrame three"
    assert reasons(answer.page_reports) == ["IMAGE", "FAILED", "IMAGE"]
    assert "damaged" in answer.page_reports[1].error.message


async def test_a_document_fails_if_no_page_can_be_read(stub: OCRServiceAsyncStub) -> None:
    data = damaged_pdf(ONE, bad=1)
    code, message, fields = await refused(stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data)))
    assert (code, fields) == (INVALID, ["pdf_data"])
    assert "page 1" in message


async def test_a_giant_page_of_text_needs_no_pixels(stub: OCRServiceAsyncStub) -> None:
    with samples.pymupdf.open() as document:
        document.new_page(width=14_400, height=14_400).insert_text((100, 700), "Plan of the harbour", fontsize=40)
        data = bytes(document.tobytes())
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data))
    assert answer.text == "Plan of the harbour"


async def test_a_form_feed_within_a_page_does_not_part_it(stub: OCRServiceAsyncStub) -> None:
    data = samples.text_pdf("before\x0cafter", TWO)
    answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data))
    assert answer.text.count("\f") == 1


IMAGES = {
    "image/png": samples.picture(ONE, form="PNG"),
    "image/jpeg": samples.picture(ONE, form="JPEG"),
    "image/tiff": samples.picture(ONE, form="TIFF"),
    "image/webp": samples.picture(ONE, form="WEBP", mode="RGB"),
    "image/bmp": samples.picture(ONE, form="BMP"),
    "image/gif": samples.picture(ONE, form="GIF"),
    "image/jp2": samples.picture(ONE, form="JPEG2000"),
    "image/x-portable-anymap": samples.picture(ONE, form="PPM"),
    "image/avif": samples.picture(ONE, form="AVIF"),
}


@pytest.mark.parametrize("kind", IMAGES)
async def test_every_image_format_is_read(stub: OCRServiceAsyncStub, kind: str) -> None:
    for content_type in ("", kind, f"{kind.upper()}; charset=x", "application/x-www-form-urlencoded"):
        request = pb.ExtractTextFromImageRequest(image_data=IMAGES[kind], content_type=content_type)
        answer = await stub.ExtractTextFromImage(request)
        assert samples.words(answer.text) == samples.words(ONE)
        assert 0.8 < answer.confidence <= 1
        about = answer.metadata
        assert (about.provider, about.model, about.tokens_used, about.cost) == (
            "tesserocr",
            "tesseract-5.5.4/eng",
            0,
            0,
        )


LINE = "Timber and wool from the north"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I", "I;16", "CMYK"])
async def test_every_colour_mode_is_read(stub: OCRServiceAsyncStub, mode: str) -> None:
    image = samples.line_image(LINE, "L" if mode.startswith("I") else mode if mode != "LA" else "RGBA")
    if mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * 257).convert(mode)
    if mode in ("RGBA", "LA"):  # black ink on transparency
        ink = samples.line_image(LINE, "L").point(lambda value: 255 - value)
        image = Image.new("RGBA", ink.size, (0, 0, 0, 0))
        image.putalpha(ink)
        image = image.convert(mode)
    data = samples.save(image, "TIFF" if mode in ("CMYK", "I") else "PNG")
    answer = await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=data))
    assert answer.text == LINE


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 180), (6, 90), (8, 270)])
async def test_the_cameras_orientation_is_respected(stub: OCRServiceAsyncStub, orientation: int, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = samples.save(samples.line_image(LINE).rotate(turn, expand=True), "JPEG", exif=exif)
    answer = await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=data))
    assert answer.text == LINE


async def test_heic_is_read(stub: OCRServiceAsyncStub) -> None:
    data = (Path(__file__).parent / "harbour.heic").read_bytes()  # which pi-heif cannot write
    for content_type in ("", "image/heic", "image/heif"):
        request = pb.ExtractTextFromImageRequest(image_data=data, content_type=content_type)
        assert (await stub.ExtractTextFromImage(request)).text == "Harbour ledger"


@pytest.mark.parametrize("ink", [0, 255], ids=["black", "white"])
async def test_letters_on_a_transparent_ground_are_read(stub: OCRServiceAsyncStub, ink: int) -> None:
    alpha = samples.line_image(LINE).convert("L").point(lambda value: 255 - value)
    image = Image.merge("LA", (Image.new("L", alpha.size, ink), alpha))
    request = pb.ExtractTextFromImageRequest(image_data=samples.save(image, "PNG"))
    assert (await stub.ExtractTextFromImage(request)).text == LINE


async def test_every_frame_of_a_tiff_is_read_in_order(stub: OCRServiceAsyncStub) -> None:
    frames = [samples.line_image(f"Frame {name}") for name in ("one", "two", "three")]
    data = samples.save(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    answer = await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=data))
    assert answer.text == "Frame one\fFrame two\fFrame three"


async def test_a_picture_without_text_is_no_error(stub: OCRServiceAsyncStub) -> None:
    data = samples.save(Image.new("L", (300, 300), 255), "PNG")
    answer = await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=data))
    assert (answer.text, answer.confidence) == ("", 0)


async def test_a_picture_of_one_pixel_is_no_error(stub: OCRServiceAsyncStub) -> None:
    data = samples.save(Image.new("L", (1, 1), 255), "PNG")
    answer = await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=data))
    assert answer.text == ""


@pytest.mark.parametrize("languages", [["eng"], ["eng", "deu"], ["eng+deu"], ["eng", "eng"]])
async def test_languages_are_chosen(stub: OCRServiceAsyncStub, languages: list[str]) -> None:
    data = samples.save(samples.line_image(LINE), "PNG")
    answer = await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=data, languages=languages))
    assert answer.text == LINE
    assert answer.metadata.model.endswith("/eng+deu" if "deu" in "".join(languages) else "/eng")


def many_frames() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("1", (8, 8)) for _ in range(21)]
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    return file.getvalue()


PNG = IMAGES["image/png"]
BAD_IMAGES = {
    "empty": (b"", "", "empty", "image_data"),
    "random": (bytes(range(256)) * 40, "", "expected a PNG", "image_data"),
    "a PDF": (WHOLE, "", "application/pdf", "image_data"),
    "a vector format": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "", "expected a PNG", "image_data"),
    "only a header": (PNG[:20], "", "damaged", "image_data"),
    "cut in half": (PNG[: len(PNG) // 2], "", "damaged", "image_data"),
    "a half JPEG": (IMAGES["image/jpeg"][:9000], "", "damaged", "image_data"),
    "declares 10^9 pixels": (samples.png_bomb(31_000), "", "pixels", "image_data"),
    "21 frames": (many_frames(), "", "more than 20 frames", "image_data"),
    "contradicted": (PNG, "image/jpeg", "'image/jpeg'", "content_type"),
    "not an image type": (PNG, "text/plain", "'text/plain'", "content_type"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
async def test_bad_images_are_the_clients_fault(stub: OCRServiceAsyncStub, name: str) -> None:
    data, content_type, message, field = BAD_IMAGES[name]
    request = pb.ExtractTextFromImageRequest(image_data=data, content_type=content_type)
    code, text, fields = await refused(stub.ExtractTextFromImage(request))
    assert (code, fields) == (INVALID, [field])
    assert message in text
