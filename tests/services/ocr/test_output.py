"""The formats of files: what a reader of each finds in it, also of text that was made to break it."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import pytest
from google.protobuf import json_format

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer_services.ocr.output.formats import FORMATS, OutputFormat, accepted
from artificer_services.ocr.output.page import OutputPage, whole
from artificer_services.ocr.page.layout import Block, BlockKind, Box, Cell, Line, PageLayout, Word

XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
HOSTILE = "</span><script>&\"'\x00\x0b\ud800\ufffe\t"


def line(*words: tuple[str, float, float], top: float = 10.0) -> Line:
    """A line of words with their left and right edges."""
    made = tuple(Word(text, Box(left, top, right, top + 12), 0.5, 12.0) for text, left, right in words)
    return Line(Box(made[0].box.left, top, made[-1].box.right, top + 12), made)


def page(*lines: Line, number: int = 1, dpi: int = 300) -> OutputPage:
    cell = Cell("cell", Box(1, 2, 3, 4), columns=2)
    block = Block(kind=BlockKind.PARAGRAPH, box=Box(10, 10, 90, 50), lines=lines, rows=((cell,),))
    layout = PageLayout(width=144, height=288, blocks=(block,))
    return OutputPage(number=number, text="\n".join(one.text for one in lines), layout=layout, dpi=dpi)


def printed(form: OutputFormat, *pages: OutputPage) -> str:
    text = whole(FORMATS[form], pages)
    text.encode()
    return text


def test_hocr_has_a_box_and_a_confidence_for_every_word() -> None:
    tree = ElementTree.fromstring(
        printed(OutputFormat.HOCR, page(line(("Hello", 10, 40), ("world", 45, 90))), page(line(("x", 1, 2)), number=7))
    )
    found = [(one.get("class"), one.get("title")) for one in tree.iter() if one.get("class")]
    assert found[:5] == [
        ("ocr_page", "bbox 0 0 600 1200; ppageno 0; scan_res 300 300"),
        ("ocr_carea", "bbox 42 42 375 208"),
        ("ocr_par", "bbox 42 42 375 208"),
        ("ocr_line", "bbox 42 42 375 92; x_size 50"),
        ("ocrx_word", "bbox 42 42 167 92; x_wconf 50; x_fsize 12"),
    ]
    assert [one.text for one in tree.iter(f"{XHTML}span") if one.get("class") == "ocrx_word"] == ["Hello", "world", "x"]
    names = [one.get("id") for one in tree.iter() if one.get("id")]
    assert len(names) == len(set(names))
    assert "page_7" in names


def test_alto_has_strings_with_places_and_the_spaces_between() -> None:
    tree = ElementTree.fromstring(printed(OutputFormat.ALTO, page(line(("Hello", 12, 36), ("world", 48, 90)))))
    (found,) = tree.iter(f"{ALTO}Page")
    assert (found.get("WIDTH"), found.get("HEIGHT"), found.get("PHYSICAL_IMG_NR")) == ("2400", "4800", "1")
    assert tree.findtext(f"{ALTO}Description/{ALTO}MeasurementUnit") == "inch1200"
    first, gap, _ = next(tree.iter(f"{ALTO}TextLine"))
    assert {name: first.get(name) for name in ("CONTENT", "HPOS", "VPOS", "WIDTH", "HEIGHT", "WC")} == {
        "CONTENT": "Hello", "HPOS": "200", "VPOS": "167", "WIDTH": "400", "HEIGHT": "200", "WC": "0.5",
    }  # fmt: skip
    assert (gap.tag, gap.get("HPOS"), gap.get("WIDTH")) == (f"{ALTO}SP", "600", "200")


def test_tsv_has_the_columns_of_tesseract() -> None:
    text = printed(OutputFormat.TSV, page(line(("Hello", 12, 36), ("world", 48, 90)), number=3, dpi=72))
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["level"] for row in rows] == ["1", "2", "3", "4", "5", "5"]
    assert {row["page_num"] for row in rows} == {"3"}
    numbers = {key: value for key, value in rows[5].items() if key not in ("level", "page_num")}
    assert list(numbers.values()) == ["1", "1", "1", "2", "48", "10", "42", "12", "50.00", "world"]


def test_words_are_the_json_of_the_api() -> None:
    text = printed(OutputFormat.WORDS, page(line(("Hello", 12, 36))), page(line(("x", 1, 2)), number=2))
    parsed = json_format.Parse(text, pb.ProcessPDFResponse())
    assert [found.page_number for found in parsed.layouts] == [1, 2]
    first = parsed.layouts[0]
    assert (first.width, first.height) == (144, 288)
    word = first.blocks[0].lines[0].words[0]
    assert (word.text, word.box.left, word.box.bottom, word.confidence, word.font_size) == ("Hello", 12, 22, 0.5, 12)
    assert first.blocks[0].rows[0].cells[0].column_span == 2
    printed_again = json_format.MessageToDict(parsed, always_print_fields_with_no_presence=True)["layouts"]
    assert json.loads(text)["layouts"] == printed_again  # no name is missing or differs


def test_pages_of_plain_text_are_parted_by_form_feeds() -> None:
    assert printed(OutputFormat.TEXT, page(line(("a", 1, 2))), page(line(("b", 1, 2)))) == "a\fb"


@pytest.mark.parametrize("form", [OutputFormat.HOCR, OutputFormat.ALTO])
def test_no_text_of_a_page_becomes_markup(form: OutputFormat) -> None:
    tree = ElementTree.fromstring(printed(form, page(line((HOSTILE, 10, 40)))))
    texts = [one.text or one.get("CONTENT") for one in tree.iter()]
    assert "</span><script>&\"'" in texts
    assert not list(tree.iter(f"{XHTML}script"))


def test_no_text_of_a_page_becomes_a_column() -> None:
    rows = printed(OutputFormat.TSV, page(line(("a\tb\nc\rd\u2028e", 10, 40)))).splitlines()
    assert len(rows) == 6
    assert rows[-1].endswith("\tabcde")


@pytest.mark.parametrize("form", list(OutputFormat))
def test_a_page_without_words_is_a_page(form: OutputFormat) -> None:
    empty = OutputPage(number=1, text="", layout=PageLayout(width=0, height=0, blocks=()))
    text = printed(form, empty)
    if form in (OutputFormat.HOCR, OutputFormat.ALTO):
        ElementTree.fromstring(text)


@pytest.mark.parametrize("form", [OutputFormat.HOCR, OutputFormat.TSV])
def test_boxes_stay_within_the_page(form: OutputFormat) -> None:
    text = printed(form, page(line(("wide", -50, 10_000), top=-30), dpi=72))
    assert "10000" not in text
    assert "-50" not in text


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", OutputFormat.TEXT),
        ("*/*", OutputFormat.TEXT),
        ("application/xml", OutputFormat.TEXT),
        ("application/json", OutputFormat.WORDS),
        ("Application/ALTO+xml", OutputFormat.ALTO),
        ("text/vnd.hocr+html; q=0.5, text/tab-separated-values; q=0.7, */*", OutputFormat.TSV),
        ("text/plain;q=0.1, text/vnd.hocr+html;level=1;q=0.2", OutputFormat.HOCR),
        ("application/json;q=0", OutputFormat.TEXT),
        ("application/json;q=x", OutputFormat.TEXT),
        ("application/json;q=nan", OutputFormat.TEXT),
    ],
)
def test_the_accept_header_chooses_the_format(header: str, form: OutputFormat) -> None:
    assert accepted(header) is form
