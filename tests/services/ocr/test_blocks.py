"""The words of a page as paragraphs, headings, lists and tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer_services.ocr.page.blocks import arrange
from artificer_services.ocr.page.layout import Block, BlockKind, Box, Line, Word
from artificer_services.ocr.pdf.engine import PdfEngine
from artificer_services.ocr.pdf.mupdf import MuPdfEngine
from artificer_services.ocr.pdf.pdfium import PdfiumEngine

from . import samples

WIDTH, HEIGHT = 595.0, 842.0


def line(text: str, left: float, top: float, size: float = 10, *, bold: bool = False) -> Line:
    """A line whose letters are half an em wide."""
    words = []
    for word in text.split():
        right = left + len(word) * size / 2
        words.append(Word(word, Box(left, top, right, top + size * 1.37), 1.0, size, bold))
        left = right + size / 2
    return Line(Box(words[0].box.left, top, words[-1].box.right, top + size * 1.37), tuple(words))


def found(*lines: Line, paths: tuple[Box, ...] = ()) -> list[Block]:
    return list(arrange(lines, paths, WIDTH, HEIGHT))


def kinds(blocks: list[Block]) -> list[tuple[str, int, str]]:
    return [(block.kind.value, block.level, " / ".join(line.text for line in block.lines)) for block in blocks]


def rows(block: Block) -> list[list[str]]:
    return [[cell.text for cell in row] for row in block.rows]


BODY = "words of running text that fill a line of the page up to its right side"


def test_headings_by_size_and_by_bold_letters() -> None:
    blocks = found(
        line("The Harbour", 50, 50, 20),
        line("Its ledgers", 50, 90, 13, bold=True),
        line(BODY, 50, 120),
        line("and its end.", 50, 134),
        line("Its captains", 50, 160, bold=True),
        line(BODY, 50, 180),
    )
    assert kinds(blocks) == [
        ("heading", 1, "The Harbour"),
        ("heading", 3, "Its ledgers"),
        ("paragraph", 0, f"{BODY} / and its end."),
        ("heading", 4, "Its captains"),
        ("paragraph", 0, BODY),
    ]


def test_headings_of_about_one_size_are_of_one_level() -> None:
    sizes = (13.8, 13.2, 13.5, 12.3)  # around the limit between two levels, and one clearly of the lower
    lines = [line(f"Heading of chapter {number}", 50, 100 + 60 * number, size) for number, size in enumerate(sizes)]
    texts = [line(BODY, 50, 130 + 60 * number) for number in range(len(sizes))]
    assert [block.level for block in found(*lines, *texts) if block.kind is BlockKind.HEADING] == [2, 2, 2, 3]


def test_cells_that_are_one_line_for_ocr() -> None:
    words = [(("Name", 50), ("Count", 150)), (("Old oak", 50), ("12", 150)), (("Elm", 50), ("7", 150))]
    lines = []
    for number, row in enumerate(words):
        parts = [word for text, left in row for word in line(text, left, 100 + 14 * number).words]
        lines.append(Line(Box(50, 100 + 14 * number, 180, 113.7 + 14 * number), tuple(parts)))
    assert rows(found(*lines)[0]) == [["Name", "Count"], ["Old oak", "12"], ["Elm", "7"]]


def test_paragraphs_are_parted_by_distances_and_by_indents() -> None:
    lines = [line(BODY, left, 100 + 14 * row) for row, left in enumerate((65, 50, 50, 65, 50, 50))]
    blocks = found(*lines, line(BODY, 50, 220), line(BODY, 50, 234))
    assert [len(block.lines) for block in blocks] == [3, 3, 2]


def test_lists_with_depths() -> None:
    blocks = found(
        line("before the list there is a line", 50, 86),
        line("\u2022 " + BODY, 60, 100),
        line("which goes on", 70, 114),
        line("\u2013 deeper", 75, 128),
        line("\u2022 last", 60, 142),
        line("1. " + BODY, 60, 170),
        line("2. numbered", 60, 184),
    )
    assert [(kind, level) for kind, level, _ in kinds(blocks)] == [
        ("paragraph", 0),
        ("list_item", 1),
        ("list_item", 2),
        ("list_item", 1),
        ("list_item", 1),
        ("list_item", 1),
    ]
    assert [len(block.lines) for block in blocks] == [1, 2, 1, 1, 1, 1]


def test_bullets_that_are_drawings() -> None:
    lines = [line(BODY, 60, 86), *(line("an item", left, top) for left, top in ((70, 100), (90, 114), (70, 128)))]
    paths = tuple(Box(left - 10, top + 5, left - 7, top + 8) for left, top in ((70, 100), (90, 114), (70, 128)))
    blocks = found(*lines, paths=paths)
    assert [(kind, level) for kind, level, _ in kinds(blocks)] == [
        ("paragraph", 0),
        ("list_item", 1),
        ("list_item", 2),
        ("list_item", 1),
    ]


def test_letters_drawn_one_by_one_are_words() -> None:
    words = ["The", "winter", "timber", "was", "entered"]
    lines = [line(" ".join(word), 50.0 + 100 * number, 100) for number, word in enumerate(words)]
    assert [block.lines[0].text for block in found(*lines)] == [" ".join(words)]


def test_marks_far_from_their_text_are_no_column() -> None:
    marks = [line("\u2022", 50, 100 + 14 * row) for row in range(4)]
    texts = [line("the text of an item", 75, 100 + 14 * row) for row in range(4)]
    assert {block.kind for block in found(*marks, *texts)} == {BlockKind.LIST_ITEM}


def test_a_number_at_the_start_of_a_line_is_no_item() -> None:
    blocks = found(line(BODY + " on the", 50, 100), line("12. of May", 50, 114))
    assert [block.kind for block in blocks] == [BlockKind.PARAGRAPH]


def test_tables_by_aligned_columns() -> None:
    cells = [
        line(text, left, 100 + 14 * row)
        for row, texts in enumerate((("Name", "Count"), ("Oak", "12"), ("Old pine", "7"), ("Elm", "112")))
        for left, text in zip((50, 200), texts, strict=True)
    ]
    (table,) = found(*cells)
    assert table.kind is BlockKind.TABLE
    assert rows(table) == [["Name", "Count"], ["Oak", "12"], ["Old pine", "7"], ["Elm", "112"]]


def test_tables_by_lines_with_cells_over_several_places() -> None:
    across = [Box(50, y, 350, y) for y in (98, 118, 138)] + [Box(150, 158, 350, 158), Box(50, 178, 350, 178)]
    down = [Box(50, 98, 50, 178), Box(150, 98, 150, 178), Box(250, 118, 250, 178), Box(350, 98, 350, 178)]
    texts = [line("Tree", 55, 100), line("Both years", 155, 100), line("Oak 12", 55, 120), line("13", 255, 120)]
    texts += [line("old and new", 55, 150), line("1", 155, 140), line("2", 255, 140), line("3", 155, 160)]
    (table,) = [block for block in found(*texts, paths=(*across, *down)) if block.kind is BlockKind.TABLE]
    assert rows(table) == [["Tree", "Both years"], ["Oak 12", "", "13"], ["old and new", "1", "2"], ["3", ""]]
    assert [(cell.columns, cell.rows) for row in table.rows for cell in row if cell.columns + cell.rows > 2] == [
        (2, 1),
        (1, 2),
    ]


def test_words_of_a_line_are_parted_by_ruled_lines() -> None:
    boxes = tuple(Box(x, y, x + 20, y + 18) for x in (50, 71) for y in (98, 118))
    (table,) = found(line("Oak 12", 53, 100), line("Elm 7", 53, 120), paths=boxes)
    assert rows(table) == [["Oak", "12"], ["Elm", "7"]]


def test_lines_from_right_to_left() -> None:
    standing = ["שלום", "עולם", "זה", "the", "two", "words", "12", "טקסט", "בעברית"]
    (block,) = found(line(" ".join(standing), 50, 100))
    assert [word.text for word in block.lines[0].words] == [*standing[:6:-1], *standing[3:7], *standing[2::-1]]


def test_turned_words_come_last() -> None:
    side = Line(
        Box(20, 100, 34, 200), tuple(Word(w, Box(20, y, 34, y + 45), 1.0, 10) for w, y in (("up", 155), ("side", 100)))
    )
    assert [block.lines[0].text for block in found(side, line(BODY, 50, 300))] == [BODY, "up side"]


@pytest.mark.parametrize("engine", [MuPdfEngine(), PdfiumEngine()], ids=lambda engine: engine.name)
def test_a_page_of_columns_and_a_table(engine: PdfEngine, tmp_path: Path) -> None:
    columns = [
        (x, 100 + 14 * n, f"{name} line {n} of a column")
        for n in range(6)
        for x, name in ((50, "left"), (320, "right"))
    ]
    table = [(x, 300 + 14 * n, f"{name}{n}") for x, name in ((50, "a"), (150, "b"), (250, "c")) for n in range(4)]
    (tmp_path / "page.pdf").write_bytes(samples.placed_pdf(*columns, *table))
    document = engine.open(str(tmp_path / "page.pdf"), None)
    blocks = list(arrange(document.words(0), document.look(0).paths, WIDTH, HEIGHT))
    document.close()
    assert [block.kind.value for block in blocks] == ["paragraph", "paragraph", "table"]
    assert [line.text for line in blocks[1].lines] == [f"right line {n} of a column" for n in range(6)]
    assert rows(blocks[2]) == [[f"{name}{n}" for name in "abc"] for n in range(4)]


BOXES = st.tuples(st.floats(-50, 600), st.floats(-50, 850), st.floats(0, 400), st.floats(0, 100))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(BOXES, st.floats(0, 40)), max_size=50), st.lists(BOXES, max_size=30))
def test_no_word_is_lost_or_doubled(
    places: list[tuple[tuple[float, float, float, float], float]], paths: list[tuple[float, float, float, float]]
) -> None:
    boxes = [Box(left, top, left + width, top + height) for left, top, width, height in (place for place, _ in places)]
    words = [Word(f"w{number}", box, 1.0, places[number][1]) for number, box in enumerate(boxes)]
    drawn = [Box(left, top, left + width, top + height) for left, top, width, height in paths]
    blocks = arrange([Line(word.box, (word,)) for word in words], drawn, WIDTH, HEIGHT)
    assert Counter(word for block in blocks for line in block.lines for word in line.words) == Counter(words)
