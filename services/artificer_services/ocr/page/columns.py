"""The parts of a page in reading order: bands from top to bottom, columns within them, rows of tables.

Pure geometry: knows boxes and sizes of letters, but no text. A page is divided into strips, which are parted by
horizontal white space; a gutter is white space between the same two columns of successive strips. Bands of strips with
a gutter are columns of text, which are read one after the other, or tables, which are read row by row.

All steps sort or pass over the pieces once for each level of columns within columns, whose number is limited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .gutters import NEAR, ROWS, bands, usual_white
from .strips import GAP, Piece, Strip, distance, lines_of, strips_of

_DEPTH = 6  # of columns within columns
_PROSE = 9.0  # em, the mean width of lines from which on a column is text and not cells of a table
_MANY, _PROSE_OF_MANY = 4, 12.0  # columns, which are rather those of a table
_LOOSE = 0.5  # of the rows of a table have text in several columns; notes beside a text are fewer
_UNEVEN = 0.25  # of the rows of a table have cells with several lines that are not aligned, as centred ones


Row = list[list[Piece]]
"""A line of text as one cell, or the cells of a table's row, which may be empty; pieces in reading order."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that are read one after the other, and whether they are those of a table."""

    rows: list[Row]
    table: bool = False


def parts(pieces: Sequence[Piece]) -> list[Part]:
    """Returns all pieces in reading order, for a script that is read from left to right."""
    found: list[Part] = []
    _region(list(pieces), 0, found)
    return found


def _region(pieces: list[Piece], depth: int, found: list[Part]) -> None:
    strips = strips_of(pieces)
    done = 0
    gutters = bands(strips, page=depth == 0) if depth < _DEPTH else []
    for band in gutters:
        _leaf(strips[done : band.top], found)
        above, within = strips[band.top : band.first], strips[band.first : band.last + 1]
        _band(above, within, depth, found, few=band.support < ROWS)
        done = band.last + 1
    _leaf(strips[done:], found)


def _band(above: list[Strip], strips: list[Strip], depth: int, found: list[Part], *, few: bool) -> None:
    """Add the columns of strips, with the lines above them that may belong to one of them.

    `few` rows are columns only if they are wide.
    """
    columns = _divide(strips)
    if _is_table(strips, columns):
        if few:
            _leaf(above + strips, found)
            return
        _leaf(above, found)
        tables = _tables(strips)
        found += (
            Part(_table_rows(table, columns if len(tables) == 1 else _divide(table)), table=True) for table in tables
        )
        return
    for column in _divide(above + strips):
        _region([item for cell in column for item in cell], depth + 1, found)


def _divide(strips: list[Strip]) -> list[list[list[Piece]]]:
    """Returns the cells of strips by columns, which are parted by white space through all strips."""
    spans = sorted(
        ((span, cell) for strip in strips for span, cell in zip(strip.spans, strip.cells, strict=True)),
        key=lambda item: item[0],
    )
    columns: list[list[list[Piece]]] = []
    end = 0.0
    for (left, right), cell in spans:
        if columns and left - end < GAP * cell[0].size / 2:
            columns[-1].append(cell)
            end = max(end, right)
        else:
            columns.append([cell])
            end = right
    return columns


def _is_table(strips: list[Strip], columns: list[list[list[Piece]]]) -> bool:
    """Whether columns are those of a table: rows are aligned, and a column is narrow."""
    uneven = sum(any(len(cell) > 1 and len(lines_of(cell)) > 1 for cell in strip.cells) for strip in strips)
    if uneven > len(strips) * _UNEVEN:
        return False
    if sum(len(strip.cells) > 1 for strip in strips) < len(strips) * _LOOSE:
        return False
    rights = _rights(columns)
    widths = [0.0] * len(columns)  # in em, of what each strip has in each column
    lines = [0] * len(columns)
    for strip in strips:
        at, begin, added = -1, 0.0, 0.0
        for (left, right), cell in zip(strip.spans, strip.cells, strict=True):
            if at < 0 or rights[at] < left:
                while at < 0 or rights[at] < left:
                    at += 1
                begin, added = left, 0.0
                lines[at] += 1
            widths[at] += (right - begin) / cell[0].size - added
            added = (right - begin) / cell[0].size
    least = _PROSE if len(columns) < _MANY else _PROSE_OF_MANY
    return any(width < least * count for width, count in zip(widths, lines, strict=True))


def _rights(columns: list[list[list[Piece]]]) -> list[float]:
    """Returns the right ends of columns."""
    return [max(item.right for cell in column for item in cell) for column in columns]


def _tables(strips: list[Strip]) -> list[list[Strip]]:
    """Returns the strips of each table."""
    tables = [[strips[0]]]
    least = usual_white(strips) + NEAR
    for one, other in pairwise(strips):
        if distance(one, other) > least:
            tables.append([])
        tables[-1].append(other)
    return tables


def _table_rows(strips: list[Strip], columns: list[list[list[Piece]]]) -> list[Row]:
    """Returns the rows of a table. A line without a first cell that is close to the one above continues its row."""
    rights = _rights(columns)
    rows: list[Row] = []
    above: Strip | None = None
    for strip in strips:
        row: Row = [[] for _ in rights]
        at = 0
        for (left, _), cell in zip(strip.spans, strip.cells, strict=True):
            while rights[at] < left:
                at += 1
            row[at] += cell if len(cell) == 1 else [item for line in lines_of(cell) for item in line]
        if above and not row[0] and len(strip.cells) < len(above.cells) and distance(above, strip) <= NEAR:
            for cell, more in zip(rows[-1], row, strict=True):
                cell += more
        else:
            rows.append(row)
            above = strip
            continue
        above = Strip(above.cells, above.spans, above.top, strip.bottom, above.size)
    return rows


def _leaf(strips: list[Strip], found: list[Part]) -> None:
    """Add strips without columns."""
    rows: list[Row] = []
    for strip in strips:
        items = [item for cell in strip.cells for item in cell]
        rows += [[row] for row in (lines_of(items) if len(items) > 1 else [items])]
    if rows:
        found.append(Part(rows))
