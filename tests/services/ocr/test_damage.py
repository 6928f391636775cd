"""Damaged, encrypted and odd files at the door of both PDF engines: what viewers show is read, the rest is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artificer_services.ocr import sniff
from artificer_services.ocr.errors import BadDocument
from artificer_services.ocr.pdf.engine import PdfDocument, PdfEngine
from artificer_services.ocr.workers.libraries import pdf_engine

from . import samples

Open = Callable[..., PdfDocument]

CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
FONT = b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>>>>>"
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R" + FONT + b">>"
LINE = "The visible line of this page"
SHOWN = samples.stream(b"BT /F 12 Tf 60 700 Td (" + LINE.encode() + b") Tj ET")


def tree(pages: bytes, page: bytes = PAGE, *, catalog: bytes = CATALOG, shown: bytes = SHOWN) -> bytes:
    return samples.objects_pdf(catalog, pages, page, shown)


ONE_PAGE = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
WHOLE = tree(ONE_PAGE)


@pytest.fixture(scope="module", params=["pymupdf", "pypdfium2"])
def engine(request: pytest.FixtureRequest) -> PdfEngine:
    return pdf_engine(request.param)


@pytest.fixture
def opened(engine: PdfEngine, tmp_path: Path) -> Iterator[Open]:
    documents: list[PdfDocument] = []

    def opened(data: bytes, password: str | None = None) -> PdfDocument:
        sniff.check_pdf(data, 10_000_000)
        path = tmp_path / "file.pdf"
        path.write_bytes(data)
        documents.append(engine.open(str(path), password))
        return documents[-1]

    yield opened
    for document in documents:
        document.close()


COUNTS = {
    f"a count of {count}": tree(b"<</Type/Pages/Kids[3 0 R]/Count %s>>" % count.encode())
    for count in ("-1", "0", "1.5", "/One", "2 0 R", str(2**31 - 1), str(2**31), str(2**63))
}
TREES = COUNTS | {
    "no count": tree(b"<</Type/Pages/Kids[3 0 R]>>"),
    "a tree that contains itself": tree(b"<</Type/Pages/Kids[2 0 R 3 0 R 2 0 R]/Count -1>>"),
    "a tree of the wrong type": tree(b"<</Type/Font/Kids[3 0 R]/Count 1>>"),
    "a page without a type": tree(b"<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE.replace(b"/Type/Page", b"")),
    "a crop box off the page": tree(ONE_PAGE, PAGE.replace(b"/Contents", b"/CropBox[1000 1000 1500 1500]/Contents")),
    "an empty crop box": tree(ONE_PAGE, PAGE.replace(b"/Contents", b"/CropBox[10 10 10 10]/Contents")),
    "a unit of nothing": tree(ONE_PAGE, PAGE.replace(b"/Contents", b"/UserUnit 0/Contents")),
    "no catalog in the trailer": WHOLE.replace(b"/Root 1 0 R", b""),
    "another catalog in the trailer": WHOLE.replace(b"/Root 1 0 R", b"/Root 9 0 R"),
}
ENDS = {
    "no table of objects": WHOLE[: WHOLE.rindex(b"xref\n0")],
    "no end": WHOLE[: WHOLE.rindex(b"startxref")],
    "a wrong start of the table": WHOLE.replace(b"startxref\n", b"startxref\n9"),
    "6 kB of HTML behind": WHOLE + b"<html>" + b"x" * 6000,
    "300 kB of anything behind": WHOLE + b"y" * 300_000,
    "zeros behind": WHOLE + bytes(1_000_000),
    "another end behind": WHOLE + b"\nstartxref\n99\n%%EOF\n" + b"y" * 5000,
    "headers of HTTP before": b"HTTP/1.1 200 OK\r\n\r\n" + WHOLE,
    "a wrong length of the content": WHOLE.replace(b"/Length", b"/Length 5/Was"),
}


@pytest.mark.parametrize("data", (TREES | ENDS).values(), ids=TREES | ENDS)
def test_what_viewers_show_is_read(opened: Open, data: bytes) -> None:
    document = opened(data)
    assert document.pages == 1
    assert document.look(0).text == LINE
    assert [line.text for line in document.words(0)] == [LINE]


def test_a_tree_cut_short_is_read_whole_by_pymupdf(opened: Open, engine: PdfEngine) -> None:
    """PDFium believes a count that is too small; PyMuPDF sees that the tree has more branches than that."""
    document = opened(tree(b"<</Type/Pages/Kids[3 0 R 3 0 R 3 0 R]/Count 1>>"))
    assert document.pages == (3 if engine.name == "pymupdf" else 1)


@pytest.mark.parametrize("count", [3, 1000])
def test_pages_that_are_lost_are_damaged(opened: Open, count: int) -> None:
    document = opened(tree(b"<</Type/Pages/Kids[3 0 R 99 0 R]/Count %d>>" % count))
    assert document.pages == count
    assert document.look(0).text == LINE
    for lost in (1, 2):
        with pytest.raises(BadDocument, match=f"page {lost + 1} "):
            document.look(lost)


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("kind", ["text", "scan"])
def test_pages_lost_with_the_end_of_a_file_are_not_blank(opened: Open, kind: str, kept: float) -> None:
    texts = samples.page_text(1), samples.page_text(2)
    data = samples.text_pdf(*texts) if kind == "text" else samples.scan_pdf(*texts, dpi=72)
    document = opened(data[: int(len(data) * kept)])
    assert document.pages == 2
    for page in range(2):
        told = ""
        try:
            content = document.look(page)
            assert content.text if kind == "text" else content.pictures
        except BadDocument as error:
            told = error.message
        assert not told or "lost" in told or "damaged" in told


NOTHING = {
    "no pages": tree(b"<</Type/Pages/Kids[]/Count 0>>"),
    "a circle": tree(b"<</Type/Pages/Kids[3 0 R]/Count -1>>", b"<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count -1>>"),
    "no tree": tree(b"<</Type/Pages/Kids[3 0 R]/Count 1>>", catalog=b"<</Type/Catalog>>"),
    "only a header": b"%PDF-1.7\n",
    "cut before the tree": WHOLE[: WHOLE.index(b"2 0 obj")],
}


@pytest.mark.parametrize("data", NOTHING.values(), ids=NOTHING)
def test_a_file_without_pages_is_refused(opened: Open, data: bytes) -> None:
    with pytest.raises(BadDocument):
        opened(data)


def test_a_circle_that_counts_right_ends(opened: Open) -> None:
    document = opened(tree(b"<</Type/Pages/Kids[2 0 R]/Count 1>>"))
    with pytest.raises(BadDocument, match="page 1"):
        document.look(0)


@pytest.mark.parametrize("code", ["0", "13", "14"], ids=["nul", "vertical-tab", "form-feed"])
def test_no_text_has_characters_that_part_or_end_it(opened: Open, code: str) -> None:
    meaning = b"1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <7C> <%04X> endbfchar" % int(code, 8)
    font = b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 5 0 R>>>>>>"
    data = samples.objects_pdf(
        CATALOG,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE.replace(FONT, font),
        samples.stream(b"BT /F 12 Tf 60 700 Td (one|two) Tj ET"),
        samples.stream(b"begincmap " + meaning + b" endcmap"),
    )
    document = opened(data)
    texts = [document.look(0).text, *(run.text for run in document.look(0).runs)]
    texts += [word.text for line in document.words(0) for word in line.words]
    assert not any(set(text) & set("\0\v\f") for text in texts)
    assert texts[0].startswith("one")
    assert texts[0].endswith("two")


@pytest.mark.parametrize("method", [samples.pymupdf.PDF_ENCRYPT_AES_256, samples.pymupdf.PDF_ENCRYPT_RC4_128])
def test_passwords_have_any_letters(opened: Open, method: int) -> None:
    with samples.pymupdf.open(stream=WHOLE, filetype="pdf") as made:
        data = bytes(made.tobytes(encryption=method, user_pw="Schlüßel", owner_pw="o"))
    assert opened(data, "Schlüßel").look(0).text == LINE


def test_a_document_that_opens_without_a_password_takes_any(opened: Open) -> None:
    with samples.pymupdf.open(stream=WHOLE, filetype="pdf") as made:
        data = bytes(made.tobytes(encryption=samples.pymupdf.PDF_ENCRYPT_AES_256, user_pw="", owner_pw="o"))
    assert opened(data, "needless").look(0).text == LINE


def test_letters_of_a_font_of_negative_size_are_upright(opened: Open) -> None:
    lines = samples.stream(b"BT /F -12 Tf -1 0 0 -1 60 700 Tm (one) Tj 0 18 Td (two) Tj ET")
    document = opened(samples.objects_pdf(CATALOG, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE, lines))
    assert [(run.text, run.turned) for run in document.look(0).runs] == [("one", 0), ("two", 0)]


@pytest.mark.parametrize(
    "page",
    [PAGE.replace(b"595 842", b"14400 14400"), PAGE.replace(b"/Contents", b"/UserUnit 10/Contents")],
    ids=["14400", "user-unit"],
)
def test_the_text_of_giant_pages_needs_no_picture(opened: Open, page: bytes) -> None:
    document = opened(tree(b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page))
    assert document.look(0).text == LINE
    assert [line.text for line in document.words(0)] == [LINE]
