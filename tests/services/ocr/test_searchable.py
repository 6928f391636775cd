"""MakeSearchablePDF through gRPC: where its text is, and what it leaves as it was."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import grpc
import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
from PIL import Image, ImageChops

from artificer.ocr.v1 import ocr_service_pb2 as pb

from . import samples
from .samples import pymupdf
from .test_servicer import INVALID, refused

if TYPE_CHECKING:
    from artificer.ocr.v1.ocr_service_pb2_grpc import OCRServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = "\n".join(samples.PARAGRAPH[:3])


async def searchable(stub: OCRServiceAsyncStub, data: bytes, **options: Any) -> bytes:
    request = pb.MakeSearchablePDFRequest(document_data=data, **options)
    parts = [part async for part in stub.MakeSearchablePDF(request)]
    assert {part.content_type for part in parts} == {"application/pdf"}
    return b"".join(part.data for part in parts)


def first(stub: OCRServiceAsyncStub, data: bytes, **options: Any) -> Any:
    """The first message of a call, to await."""
    return stub.MakeSearchablePDF(pb.MakeSearchablePDFRequest(document_data=data, **options)).read()


def texts(data: bytes) -> list[str]:
    """The text of every page as Chromium's reader finds it."""
    with pypdfium2.PdfDocument(data) as document:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def places(data: bytes, word: str, page: int = 0) -> list[Any]:
    """Where MuPDF finds a word on the displayed page."""
    with pymupdf.open(stream=data, filetype="pdf") as document:
        shown = document[page]
        return [found * shown.rotation_matrix for found in shown.search_for(word)]


def pictures_of(data: bytes) -> list[Image.Image]:
    """Every page as it looks."""
    with pypdfium2.PdfDocument(data) as document:
        return [page.render(scale=1).to_pil().convert("L") for page in document]


def check(data: bytes) -> None:
    """What `qpdf --check` looks for."""
    with pikepdf.open(io.BytesIO(data)) as document:
        assert not document.check_pdf_syntax()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
async def test_words_are_where_they_are_seen(stub: OCRServiceAsyncStub, rotation: int) -> None:
    scan = samples.scan_pdf(TEXT, rotation=rotation)
    made = await searchable(stub, scan)
    check(made)
    assert texts(scan) == [""]
    assert samples.words(texts(made)[0]) == samples.words(TEXT)
    for word in ("harbour", "northern", "afternoon"):
        (truth,), (found,) = places(samples.text_pdf(TEXT), word), places(made, word)
        assert abs(truth.x0 - found.x0) < 3
        assert abs(truth.x1 - found.x1) < 5  # the truth's letters have a little space around them
        assert abs(truth.y1 - found.y1) < 6
    assert not any(
        ImageChops.difference(a, b).getbbox() for a, b in zip(pictures_of(scan), pictures_of(made), strict=True)
    )


async def test_a_turned_scan_is_marked_in_its_own_direction(stub: OCRServiceAsyncStub) -> None:
    """The page is not marked as turned: the scanner's operator laid it sideways."""
    with pymupdf.open(stream=samples.scan_pdf(TEXT, rotation=90), filetype="pdf") as document:
        document[0].set_rotation(0)
        scan = bytes(document.tobytes())
    made = await searchable(stub, scan)
    assert samples.words(texts(made)[0]) == samples.words(TEXT)
    (found,) = places(made, "northern")
    assert found.height > 2 * found.width


async def test_the_file_is_kept(stub: OCRServiceAsyncStub) -> None:
    with pymupdf.open(stream=samples.mixed_pdf(samples.page_text(1), TEXT), filetype="pdf") as document:
        document.set_metadata({"title": "A title"})
        document.set_toc([[1, "Chapter", 1]])
        mixed = bytes(document.tobytes())
    made = await searchable(stub, mixed)
    with pikepdf.open(io.BytesIO(mixed)) as before, pikepdf.open(io.BytesIO(made)) as after:
        assert before.docinfo.Title == after.docinfo.Title
        assert before.Root.Outlines.First.Title == after.Root.Outlines.First.Title
        pages = before.pages, after.pages
        contents = [page[0].Contents for page in pages]
        assert [part.read_raw_bytes() for part in contents[0]] == [part.read_raw_bytes() for part in contents[1]]
        images = [next(iter(page[1].get_images().values())).read_raw_bytes() for page in pages]
        assert images[0] == images[1]
    assert texts(made)[0] == texts(mixed)[0]
    assert samples.words(texts(made)[1]) == samples.words(TEXT)


async def test_a_document_that_needs_no_text_comes_back_unchanged(stub: OCRServiceAsyncStub) -> None:
    data = samples.text_pdf(samples.page_text(1))
    assert await searchable(stub, data) == data


async def test_only_the_chosen_pages_get_text(stub: OCRServiceAsyncStub) -> None:
    made = await searchable(stub, samples.scan_pdf(TEXT, TEXT, TEXT), pages="2")
    assert [bool(text) for text in texts(made)] == [False, True, False]


async def test_the_text_of_an_earlier_run_is_replaced(stub: OCRServiceAsyncStub) -> None:
    made = await searchable(stub, samples.layered_pdf(TEXT, "Qrxzv pwkjq " * 40), force_ocr=True)
    assert samples.words(texts(made)[0]) == samples.words(TEXT)
    again = await searchable(stub, made, force_ocr=True)  # its own layer too
    assert samples.words(texts(again)[0]) == samples.words(TEXT)


async def test_a_cropped_page_with_larger_units(stub: OCRServiceAsyncStub) -> None:
    with pikepdf.open(io.BytesIO(samples.scan_pdf(TEXT))) as document:
        page = document.pages[0]
        page.CropBox = [30, 400, 595, 842]
        page.UserUnit = 2
        file = io.BytesIO()
        document.save(file, min_version="1.6")
    made = await searchable(stub, file.getvalue())
    with pypdfium2.PdfDocument(made) as opened:
        found = opened[0].get_textpage()
        index, _ = found.search("northern").get_next()
        left, bottom, *_ = found.get_charbox(index)
    with pypdfium2.PdfDocument(samples.text_pdf(TEXT)) as opened:
        found = opened[0].get_textpage()
        index, _ = found.search("northern").get_next()
        true_left, true_bottom, *_ = found.get_charbox(index)
    assert abs(left - true_left) < 3  # in user space, where neither changes anything
    assert abs(bottom - true_bottom) < 6


async def test_a_document_that_only_its_owner_may_change_stays_locked(stub: OCRServiceAsyncStub) -> None:
    with pymupdf.open(stream=samples.scan_pdf(TEXT), filetype="pdf") as document:
        locked = bytes(document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="owner", user_pw=""))
    made = await searchable(stub, locked)
    with pikepdf.open(io.BytesIO(made)) as opened:
        assert opened.is_encrypted
    assert samples.words(texts(made)[0]) == samples.words(TEXT)


async def test_only_the_pictures_of_a_page_with_text_get_text(stub: OCRServiceAsyncStub) -> None:
    with pymupdf.open(stream=samples.text_pdf(samples.page_text(1)), filetype="pdf") as document:
        lines = "\n".join(samples.PARAGRAPH[5:8])
        picture = Image.open(io.BytesIO(samples.picture(lines, form="PNG"))).crop((0, 100, 1240, 320))
        document[0].insert_image(pymupdf.Rect(0, 500, 595, 605), stream=samples.save(picture, "PNG"))
        page = bytes(document.tobytes())
    (found,) = texts(await searchable(stub, page))
    assert sorted(samples.words(found)) == sorted(samples.words(f"{samples.page_text(1)} {lines}"))


async def test_a_stamp_that_is_text_is_not_doubled(stub: OCRServiceAsyncStub) -> None:
    with pymupdf.open(stream=samples.scan_pdf(TEXT), filetype="pdf") as document:
        document[0].insert_text((60, 780), "Exhibit 2021", fontsize=14)
        stamped = bytes(document.tobytes())
    (found,) = texts(await searchable(stub, stamped))
    assert sorted(samples.words(found)) == sorted([*samples.words(TEXT), "Exhibit", "2021"])


async def test_a_password_is_refused(stub: OCRServiceAsyncStub) -> None:
    locked = samples.encrypted_pdf(TEXT, "secret")
    code, message, fields = await refused(first(stub, locked))
    assert (code, fields) == (grpc.StatusCode.FAILED_PRECONDITION, ["document_data"])
    assert "without one" in message
    code, _, fields = await refused(first(stub, locked, password="secret"))
    assert (code, fields) == (INVALID, ["password"])


async def test_a_signature_is_not_broken(stub: OCRServiceAsyncStub) -> None:
    def signed(data: bytes) -> bytes:
        with pikepdf.open(io.BytesIO(data)) as document:
            value = pikepdf.Dictionary(Type=pikepdf.Name.Sig, Filter=pikepdf.Name("/Adobe.PPKLite"))
            inner = document.make_indirect(pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=b"inner", V=value))
            field = document.make_indirect(pikepdf.Dictionary(T=b"outer", Kids=[inner]))
            document.Root.AcroForm = pikepdf.Dictionary(SigFlags=3, Fields=[field])
            file = io.BytesIO()
            document.save(file)
            return file.getvalue()

    code, message, fields = await refused(first(stub, signed(samples.scan_pdf(TEXT))))
    assert (code, fields) == (grpc.StatusCode.FAILED_PRECONDITION, ["document_data"])
    assert "signed" in message
    direct = signed(samples.text_pdf(TEXT))
    assert await searchable(stub, direct) == direct


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
async def test_an_image_becomes_a_document(stub: OCRServiceAsyncStub, form: str) -> None:
    image = samples.picture(TEXT, form=form)
    made = await searchable(stub, image)
    check(made)
    assert samples.words(texts(made)[0]) == samples.words(TEXT)
    with pikepdf.open(io.BytesIO(made)) as document:
        (picture,) = document.pages[0].get_images().values()
        assert isinstance(picture, pikepdf.Stream)
        if form == "JPEG":
            assert picture.read_raw_bytes() == image
        else:
            kept = pikepdf.PdfImage(picture).as_pil_image().convert("L")
            assert not ImageChops.difference(kept, Image.open(io.BytesIO(image)).convert("L")).getbbox()


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])  # a TIFF without compression, whose pixels Pillow could map
@pytest.mark.parametrize("orientation", range(2, 9))
async def test_an_image_is_shown_as_its_exif_data_says(stub: OCRServiceAsyncStub, orientation: int, form: str) -> None:
    upright = Image.open(io.BytesIO(samples.picture(TEXT, form="PNG"))).crop((0, 100, 1240, 300))
    turns = Image.Transpose
    stored = {
        2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE,
        6: turns.ROTATE_90, 7: turns.TRANSVERSE, 8: turns.ROTATE_270,
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = await searchable(stub, samples.save(upright.transpose(stored[orientation]), form, exif=exif, quality=90))
    (shown,) = pictures_of(made)
    small = upright.resize(shown.size)
    assert sum(ImageChops.difference(shown, small).histogram()[100:]) < shown.width * shown.height / 500
    assert "northern" in texts(made)[0]


@pytest.mark.parametrize("kind", ["floats", "white ink"])
async def test_what_can_be_read_in_an_image_can_be_seen_in_the_document(stub: OCRServiceAsyncStub, kind: str) -> None:
    line = samples.line_image("first frame", "L")
    if kind == "floats":  # of 0 to 1, as programs for science write them
        image = samples.save(line.convert("F").point(lambda value: value * (1 / 255) + 0.0), "TIFF")
    else:
        ink = line.point(lambda value: 255 - value)
        image = samples.save(Image.merge("LA", (Image.new("L", ink.size, "white"), ink)), "PNG")
    made = await searchable(stub, image)
    assert texts(made) == ["first frame"]
    (shown,) = pictures_of(made)
    assert shown.convert("L").getextrema() == (0, 255)


async def test_every_frame_of_an_image_becomes_a_page(stub: OCRServiceAsyncStub) -> None:
    frames = [samples.line_image("first frame", "RGBA"), samples.line_image("second frame", "1")]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    assert texts(await searchable(stub, file.getvalue())) == ["first frame", "second frame"]


async def test_a_blank_frame_is_as_large_as_the_others(stub: OCRServiceAsyncStub) -> None:
    frames = [Image.open(io.BytesIO(samples.picture("first frame", form="PNG"))), Image.new("L", (1240, 1754), "white")]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:], dpi=(150, 150))
    with pypdfium2.PdfDocument(await searchable(stub, file.getvalue())) as document:
        sizes = [[round(side) for side in page.get_size()] for page in document]
    assert sizes == [[595, 842], [595, 842]]


async def test_what_is_no_document(stub: OCRServiceAsyncStub) -> None:
    code, _, fields = await refused(first(stub, b"Hello"))
    assert (code, fields) == (INVALID, ["document_data"])
    code, message, fields = await refused(first(stub, samples.scan_pdf(TEXT), pages="2"))
    assert (code, fields) == (INVALID, ["pages"])
    assert "the document has 1 pages" in message
