"""Markdown of pages (GitHub's dialect): headings, paragraphs, lists and tables.

Text of a page cannot become markup: what would be read as such is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..page.layout import Block, BlockKind, Cell, Line
from ..page.lists import is_mark
from .page import OutputPage

_INLINE = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_START = re.compile(r"(#{1,6}(?=\s|$)|[-+](?=\s|$)|>|-(?=[-\s]*$)|=(?=[=\s]*$))|(\d{1,9})([.)])(?=\s|$)")
_NUMBERED = re.compile(r"\d{1,9}[.)]")
_WIDE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")  # scripts without spaces between words
_SOFT = "\u00ad"
_INDENT = 4  # spaces by which a deeper item is indented; those of a numbered one need three


class Markdown:
    media_type = "text/markdown; charset=utf-8"
    head = tail = ""
    between = "\n\n"

    def page(self, page: OutputPage) -> str:
        return markdown_of(page.layout.blocks) or escaped(page.text)


def markdown_of(blocks: Sequence[Block]) -> str:
    """Returns the blocks of a page, whose text may be that of a stranger."""
    parts: list[str] = []
    before: Block | None = None
    for block in blocks:
        text = _block(block)
        if not text:
            continue
        if before:
            listed = before.kind is block.kind is BlockKind.LIST_ITEM
            parts.append("\n" if listed else "\n\n")
        parts.append(text)
        before = block
    return "".join(parts)


def escaped(text: str) -> str:
    """Returns a text so that it reads as it is."""
    return "\n".join(_start(_inline(line.strip())) for line in text.split("\n"))


def joined(lines: Sequence[Line]) -> str:
    """Returns the text of lines as one, with the words that are divided at their ends joined."""
    parts: list[str] = []
    for line in lines:
        added = line.text
        if not added:
            continue
        if parts:
            end = parts[-1]
            if end.endswith(_SOFT) or (end[-1] == "-" and end[-2:-1].isalpha() and added[0].islower()):
                parts[-1] = end[:-1]
            elif end[-1] == "-" and end[-2:-1].isalnum():
                pass  # the hyphen belongs to the word
            elif not (_WIDE.match(end[-1]) and _WIDE.match(added[0])):
                parts[-1] = end + " "
        parts.append(added)
    return "".join(parts).replace(_SOFT, "")


def _block(block: Block) -> str:
    if block.kind is BlockKind.TABLE and block.rows:
        return "\n".join(_table(block.rows))
    if block.kind is BlockKind.LIST_ITEM:
        return _item(block)
    text = _inline(joined(block.lines))
    if block.kind is BlockKind.HEADING:
        closing = re.sub(r"(#+)$", r"\\\1", text)
        return f"{'#' * min(max(block.level, 1), 6)} {closing}"
    return _start(text)


def _item(block: Block) -> str:
    text = joined(block.lines)
    mark, _, rest = text.partition(" ")
    indent = " " * (_INDENT * (max(block.level, 1) - 1))
    if _NUMBERED.fullmatch(mark):
        return f"{indent}{mark} {_start(_inline(rest))}"
    bullet = is_mark(mark) and not any(char.isalnum() for char in mark)
    return f"{indent}- {_start(_inline(rest if bullet else text))}"


def _table(rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Yields the rows of a table; a cell that spans several places is in the first, since Markdown has no spans."""
    held: dict[int, int] = {}  # rows that a cell above still takes, by column
    placed: list[list[str]] = []
    for row in rows:
        texts: list[str] = []

        def skip(texts: list[str] = texts) -> None:
            while held.get(len(texts), 0) > 0:
                held[len(texts)] -= 1
                texts.append("")

        for cell in row:
            skip()
            for number in range(cell.columns):
                if cell.rows > 1:
                    held[len(texts)] = cell.rows - 1
                texts.append("" if number else _cell(cell.text))
        skip()
        placed.append(texts)
    width = max(map(len, placed))
    for number, texts in enumerate(placed):
        yield "| " + " | ".join(texts + [""] * (width - len(texts))) + " |"
        if number == 0:
            yield "|" + " --- |" * width


def _cell(text: str) -> str:
    return _inline(" ".join(text.replace(_SOFT, "").split())).replace("|", "\\|")


def _inline(text: str) -> str:
    return _INLINE.sub(lambda found: "\\" + found[0], " ".join(text.split()))


def _start(text: str) -> str:
    """Returns a paragraph whose beginning would be read as that of a heading, a list, a quotation or a rule."""
    found = _START.match(text)
    if not found:
        return text
    if found[1]:
        return "\\" + text
    return f"{found[2]}\\{text[found.end(2) :]}"
