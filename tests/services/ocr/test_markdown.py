"""Markdown of pages, whose text may try to become markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from artificer_services.ocr.output.markdown import escaped, markdown_of
from artificer_services.ocr.page.layout import Block, BlockKind, Box, Cell, Line, Word

BOX = Box(0, 0, 1, 1)
READER = MarkdownIt("gfm-like", {"linkify": False})


def block(kind: BlockKind, *lines: str, level: int = 0) -> Block:
    made = tuple(Line(BOX, tuple(Word(word, BOX, 1.0) for word in line.split())) for line in lines)
    return Block(kind=kind, box=BOX, lines=made, level=level)


def paragraph(*lines: str) -> Block:
    return block(BlockKind.PARAGRAPH, *lines)


def item(text: str, level: int = 1) -> Block:
    return block(BlockKind.LIST_ITEM, text, level=level)


def table(*rows: tuple[Cell, ...]) -> Block:
    return Block(kind=BlockKind.TABLE, box=BOX, lines=(), rows=rows)


def html(*blocks: Block) -> str:
    return re.sub(r"\n", "", READER.render(markdown_of(blocks)))


def test_headings_and_paragraphs() -> None:
    found = markdown_of([block(BlockKind.HEADING, "The harbour", "office", level=2), paragraph("One line", "and more")])
    assert found == "## The harbour office\n\nOne line and more"


def test_divided_words_are_joined() -> None:
    assert markdown_of([paragraph("the exam-", "ple of a para\u00ad", "graph")]) == "the example of a paragraph"
    assert (
        markdown_of([paragraph("from 1914-", "1918 in the Anglo-", "German war")])
        == "from 1914-1918 in the Anglo-German war"
    )
    assert markdown_of([paragraph("日本語の", "文書")]) == "日本語の文書"


def test_lists() -> None:
    assert html(item("• first"), item("– deeper", 2), item("• last")) == (
        "<ul><li>first<ul><li>deeper</li></ul></li><li>last</li></ul>"
    )
    assert html(item("3. three"), item("a) letter", 2), item("4. four")) == (
        '<ol start="3"><li>three<ul><li>a) letter</li></ul></li><li>four</li></ol>'
    )


def test_tables_with_spans_and_bars() -> None:
    found = table(
        (Cell("Name", BOX, 1, 2), Cell("Years", BOX, 2)),
        (Cell("1999", BOX), Cell("2000", BOX)),
        (Cell("a|b \\", BOX), Cell("1", BOX)),
    )
    assert markdown_of([found]).split("\n")[:3] == ["| Name | Years |  |", "| --- | --- | --- |", "|  | 1999 | 2000 |"]
    assert html(found).count("<td") == 6
    assert "<td>a|b \\</td><td>1</td><td></td>" in html(found)


@pytest.mark.parametrize(
    "text",
    [
        "# not a heading",
        "- not an item",
        "12. not an item",
        "> not a quotation",
        "* * *",
        "---",
        "===",
        "***bold*** and __bold__ and `code` and ~~gone~~",
        "[a link](http://example.org) and ![a picture](x.png)",
        "<script>alert(1)</script> &amp; &#60;",
        "<http://example.org>",
        "```",
        "~~~",
        "| a | b |",
        "a \\ b \\",
        "[x]: http://example.org",
    ],
)
def test_text_cannot_become_markup(text: str) -> None:
    plain = re.sub("&", "&amp;", text).replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert html(paragraph(text)) == f"<p>{plain}</p>"
    assert html(block(BlockKind.HEADING, text, level=1)) == f"<h1>{plain}</h1>"
    assert html(item("• " + text)) == f"<ul><li>{plain}</li></ul>"


@given(st.text(alphabet="ab1 \\`*_{}[]()<>#+-.!|~&;=:/\"'\n", max_size=40))
def test_any_text_reads_as_it_is(text: str) -> None:
    tokens = READER.parse(escaped(text))
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    seen = [child for token in tokens if token.children for child in token.children]
    assert {child.type for child in seen} <= {"text", "text_special", "softbreak"}
    read = "".join("\n" if child.type == "softbreak" else child.content for child in seen)
    assert "".join(read.split()) == "".join(text.split())
