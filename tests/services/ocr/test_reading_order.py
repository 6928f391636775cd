"""The order in which the text of a page is read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer_services.ocr.page.blocks import arrange
from artificer_services.ocr.page.content import TextRun
from artificer_services.ocr.page.layout import Box
from artificer_services.ocr.page.reading_order import text_of
from artificer_services.ocr.pdf.engine import PdfEngine
from artificer_services.ocr.pdf.mupdf import MuPdfEngine
from artificer_services.ocr.pdf.pdfium import PdfiumEngine

from . import samples

WIDTH, HEIGHT = 595.0, 842.0


def run(text: str, left: float, top: float, size: float = 10, *, wide: float = 0.5) -> TextRun:
    """A run whose letters are `wide` em wide on average."""
    return TextRun(text, Box(left, top, left + len(text) * size * wide, top + size * 1.37), size)


def text(*runs: TextRun) -> str:
    return text_of(runs, WIDTH, HEIGHT)


LEFT = [f"left line {number} of the first column" for number in range(8)]
RIGHT = [f"right line {number} of the second column" for number in range(8)]
COLUMNS = [
    item
    for number in range(8)
    for item in (run(LEFT[number], 50, 100 + 14 * number), run(RIGHT[number], 320, 100 + 14 * number))
]


class TestOrder:
    def test_nothing(self) -> None:
        assert text() == text(run("  ", 50, 50)) == ""

    def test_blocks_are_read_from_the_top(self) -> None:
        assert text(run("third", 50, 300), run("first", 50, 100), run("second", 50, 114)) == "first\nsecond\n\nthird"

    def test_columns_are_read_one_after_the_other(self) -> None:
        assert text(*COLUMNS).split("\n") == [*LEFT, "", *RIGHT]

    def test_columns_of_two_lines_are_columns_if_they_are_wide(self) -> None:
        assert text(*COLUMNS[:4]).split("\n") == [*LEFT[:2], "", *RIGHT[:2]]
        pairs = [run(word, left, top) for top in (100, 114) for left, word in ((50, "Name:"), (150, f"Number {top}"))]
        assert text(*pairs) == "Name: Number 100\nName: Number 114"

    def test_three_columns(self) -> None:
        texts = [[f"{name} line {row} of the text" for row in range(8)] for name in ("first", "second", "third")]
        runs = [run(texts[at][row], 40 + 180 * at, 100 + 14 * row) for row in range(8) for at in range(3)]
        assert text(*runs).split("\n") == [*texts[0], "", *texts[1], "", *texts[2]]

    def test_headings_above_and_below_columns_part_them(self) -> None:
        heading = run("A heading that is above both columns of the page and as wide as they are", 50, 70, 14)
        closing = run("A line of text below both columns of the page, which is as wide as they are", 50, 240, 12)
        assert text(*COLUMNS, closing, heading).split("\n\n") == [
            heading.text,
            "\n".join(LEFT),
            "\n".join(RIGHT),
            closing.text,
        ]

    def test_rows_of_a_table_stay_rows(self) -> None:
        cells = [
            run(f"{name} {row}", left, 100 + 14 * row)
            for left, name in ((50, "Item"), (200, "Amount"), (300, "Price"))
            for row in range(6)
        ]
        assert text(*cells).split("\n") == [f"Item {row}\tAmount {row}\tPrice {row}" for row in range(6)]

    def test_lines_of_a_cell_are_together(self) -> None:
        rows = [(0, "1", "A short name"), (28, "2", "A name that goes on"), (70, "3", "Another name")]
        cells = [run(cell, left, 100 + down) for down, *row in rows for left, cell in zip((50, 90), row, strict=True)]
        prices = [run(f"{number}.50", 300, 100 + down) for number, (down, _, _) in enumerate(rows)]
        assert text(*cells, *prices, run("in the next line", 90, 142)).split("\n") == [
            "1\tA short name\t0.50",
            "2\tA name that goes on in the next line\t1.50",
            "3\tAnother name\t2.50",
        ]

    def test_a_longer_column_is_read_to_its_end(self) -> None:
        more = [run(f"left line {number} of the first column", 50, 212 + 14 * number) for number in range(3)]
        above = [run(f"right line {number} of the second column", 320, 58 + 14 * number) for number in range(3)]
        found = [item.text for item in above]
        assert text(*COLUMNS, *more, *above).split("\n") == [*LEFT, *(item.text for item in more), "", *found, *RIGHT]

    def test_a_header_is_not_part_of_columns(self) -> None:
        header = run("Journal", 50, 50), run("Page 3", 480, 50)
        assert text(*COLUMNS, *header).split("\n") == ["Journal Page 3", "", *LEFT, "", *RIGHT]

    def test_notes_beside_a_text_are_read_after_it(self) -> None:
        body = [run(f"a line {number} of the text that goes on and on", 50, 100 + 14 * number) for number in range(12)]
        notes = [run(note, 320, top, 8) for note, top in (("See page 7", 131), ("and 9", 141), ("Also here", 203))]
        found = text(*(item for pair in zip(body[:3], notes, strict=True) for item in pair), *body[3:])
        assert found.split("\n\n")[0].split("\n") == [item.text for item in body]

    def test_an_initial_belongs_to_its_word(self) -> None:
        lines = [run("he winter was", 82, 100), run("long and the", 82, 114), run("harbour frozen.", 50, 128)]
        assert text(run("T", 50, 99, 26), *lines) == "The winter was\nlong and the\nharbour frozen."

    def test_wide_spaces_of_justified_lines_are_no_cells(self) -> None:
        loose = [
            run(word, left + 60 * n, 100 + 14 * row)
            for row in (1, 3, 5)
            for left in (50, 320)
            for n, word in enumerate(("chapter", "account", "sealed", "journey"))
        ]
        tight = [
            run("a line of the column as wide as it", left, 100 + 14 * row, 11)
            for row in (0, 2, 4)
            for left in (50, 320)
        ]
        lines = ["a line of the column as wide as it", "chapter account sealed journey"] * 3
        assert text(*loose, *tight).split("\n") == [*lines, "", *lines]

    def test_superscripts_stay_in_their_line(self) -> None:
        runs = run("as was shown", 50, 100), run("12", 110, 99, 6), run("by others", 120, 100)
        assert text(*runs, run("below", 50, 114)) == "as was shown12 by others\nbelow"

    def test_turned_text_comes_last_and_in_its_own_direction(self) -> None:
        down = [TextRun(word, Box(left, 100, left + 14, 160), 10, 90) for word, left in (("two", 480), ("one", 500))]
        up = [TextRun(word, Box(left, 100, left + 14, 160), 10, 270) for word, left in (("four", 50), ("three", 30))]
        assert text(*up, *down, run("upright", 200, 700)) == "upright\n\none\ntwo\n\nthree\nfour"

    def test_words_from_right_to_left_are_in_logical_order(self) -> None:
        assert text(run("עולם", 50, 100), run("שלום", 100, 100)) == "שלום עולם"
        assert text(run("טקסט", 50, 100), run("is this", 80, 100), run("שלום", 120, 100)) == "שלום is this טקסט"


class TestRuledTables:
    """Tables by their ruled lines, whose cells have several lines that are not aligned."""

    CELLS: ClassVar = [
        run("A long term of two lines", 55, 105),
        run("that goes on here", 55, 119),
        run("its meaning in one line", 305, 112),
        run("A short term", 55, 145),
        run("a meaning that is longer", 305, 138),
        run("than what it explains", 305, 152),
    ]
    ROWS: ClassVar = [
        "A long term of two lines that goes on here\tits meaning in one line",
        "A short term\ta meaning that is longer than what it explains",
    ]

    def drawn(self, *boxes: Box) -> list[str]:
        return text_of(self.CELLS, WIDTH, HEIGHT, boxes).split("\n")

    def test_lines(self) -> None:
        across = [Box(50, y, 550, y) for y in (102, 135, 168)]
        down = [Box(x, 102, x + 0.5, 168) for x in (50, 300, 550)]
        assert self.drawn(*across, *down) == self.ROWS

    def test_boxes_of_cells(self) -> None:
        boxes = [Box(x, y, x + 247, y + 31) for x in (51, 302) for y in (103, 136)]
        assert self.drawn(*boxes) == self.ROWS

    def test_only_inner_lines(self) -> None:
        assert self.drawn(Box(50, 135, 550, 135), Box(300, 102, 300, 168), Box(50, 102, 550, 102)) == self.ROWS

    def test_a_cell_over_two_columns_leaves_one_empty(self) -> None:
        across = [Box(50, y, 550, y) for y in (80, 102, 135, 168)]
        down = [Box(50, 80, 50, 168), Box(550, 80, 550, 168), Box(300, 102, 300, 168)]
        found = text_of([*self.CELLS, run("Terms of the office", 200, 84)], WIDTH, HEIGHT, across + down)
        assert found.split("\n") == ["Terms of the office\t", *self.ROWS]

    def test_a_frame_and_a_grid_without_text_are_no_tables(self) -> None:
        figure = [Box(x, y, x + 40, y + 40) for x in (100, 140, 180) for y in (500, 540)]
        assert text_of(COLUMNS, WIDTH, HEIGHT, [Box(40, 90, 560, 230), *figure]) == text(*COLUMNS)


class TestDoubled:
    def test_text_drawn_twice_to_look_bold_is_given_once(self) -> None:
        assert text(run("bold words", 50, 100), run("bold words", 50.3, 100)) == "bold words"

    def test_equal_texts_at_other_places_are_kept(self) -> None:
        assert text(run("0.00", 50, 100), run("0.00", 50, 114)) == "0.00\n0.00"

    def test_letters_drawn_one_by_one_are_words(self) -> None:
        words = [run("T h e", 50, 100), run("wi n t e r", 100, 100), run("t i mb e r", 170, 100)]
        assert text(*words) == "The winter timber"


@pytest.mark.parametrize("engine", [MuPdfEngine(), PdfiumEngine()], ids=lambda engine: engine.name)
class TestPages:
    def read(self, engine: PdfEngine, folder: Path, *texts: tuple[float, float, str]) -> str:
        (folder / "page.pdf").write_bytes(samples.placed_pdf(*texts))
        document = engine.open(str(folder / "page.pdf"), None)
        content = document.look(0)
        document.close()
        return text_of(content.runs, content.width, content.height, content.paths)

    def test_columns_drawn_line_by_line(self, engine: PdfEngine, tmp_path: Path) -> None:
        texts = [(item.box.left, item.box.top, item.text) for item in COLUMNS]
        assert self.read(engine, tmp_path, *texts).split("\n") == [*LEFT, "", *RIGHT]

    def test_letters_drawn_twice_and_letters_far_apart(self, engine: PdfEngine, tmp_path: Path) -> None:
        twice = [(60 + 6 * n + d, 100, char) for n, char in enumerate("Statement") for d in (0, 0.3)]
        assert self.read(engine, tmp_path, *twice) == "Statement"
        words = ["The", "winter", "timber", "was", "entered", "here"]
        apart = [
            (60.0 + 10 * (n + sum(len(word) + 1 for word in words[:at])), 100.0, char)
            for at, word in enumerate(words)
            for n, char in enumerate(word)
        ]
        assert self.read(engine, tmp_path, *apart) == " ".join(words)

    def test_letters_of_formulas_and_divided_words(self, engine: PdfEngine, tmp_path: Path) -> None:
        found = self.read(engine, tmp_path, (60, 100, "𝑥 is a letter of the for-"), (60, 114, "mula"))
        assert found == "𝑥 is a letter of the for-\nmula"

    def test_columns_of_upright_letters(self, engine: PdfEngine, tmp_path: Path) -> None:
        columns = ["今日は天気がいいので散歩に行きました。", "明日も晴れるでしょう。", "港の記録。"]
        (tmp_path / "page.pdf").write_bytes(samples.upright_columns_pdf(*columns))
        document = engine.open(str(tmp_path / "page.pdf"), None)
        content, words = document.look(0), document.words(0)
        document.close()
        assert text_of(content.runs, content.width, content.height).split("\n") == columns
        blocks = arrange(words, (), content.width, content.height)
        assert [line.text for block in blocks for line in block.lines] == columns


BOXES = st.tuples(st.floats(-50, 600), st.floats(-50, 850), st.floats(0, 400), st.floats(0, 100))
RUNS = st.lists(st.tuples(BOXES, st.floats(0, 40), st.sampled_from((0, 0, 0, 90, 180, 270))), max_size=60)


@settings(max_examples=200, deadline=None)
@given(RUNS, st.lists(BOXES, max_size=30))
def test_no_run_is_lost_or_doubled(
    places: list[tuple[tuple[float, float, float, float], float, int]], paths: list[tuple[float, float, float, float]]
) -> None:
    runs = [
        TextRun(f"w{number}", Box(left, top, left + width, top + height), size, turned)
        for number, ((left, top, width, height), size, turned) in enumerate(places)
    ]
    drawn = [Box(left, top, left + width, top + height) for left, top, width, height in paths]
    found = text_of(runs, WIDTH, HEIGHT, drawn)
    assert Counter("".join(found.split())) == Counter("".join(item.text for item in runs))
    assert all(item.text in found for item in runs)
