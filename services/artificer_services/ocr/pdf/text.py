"""Rules for the text of PDF pages that hold for every engine. Pure: knows no library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import TypeVar

from ..errors import BadDocument
from ..page.bidi import logical
from ..page.boxes import cover, overlap, union
from ..page.content import PageContent, TextRun
from ..page.layout import Box, Line, Word
from ..page.routing import count_text, count_visible

MOST_RUNS = 20_000
MOST_BOXES = 5_000  # pictures, and drawings
_MOST_FONTS = 100
_SPACE = 0.2  # of the letters' size; a wider gap is white space. Some boxes of Arabic letters are 0.17 apart
T = TypeVar("T")
Letter = tuple[str, Box, T]

# A form feed separates pages, so that no page's own text may have one. What ends a line becomes a line break; other
# controls, which some fonts call their glyphs, mean nothing.
NOTHING = "\ufdd0"  # never a character: in the place of a letter that has none
_CLEAN: dict[int, str | None] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd"),
    **dict.fromkeys((0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029), "\n"),
    0x09: "\t",
    ord(NOTHING): None,
}


def clean(text: str) -> str:
    """Returns a text without form feeds, other odd line breaks, controls and `NOTHING`."""
    return text if text.isprintable() else text.translate(_CLEAN)


def turned(x: float, y: float) -> int:
    """Returns the direction of reading in degrees clockwise (0, 90, 180 or 270) of a vector whose y grows downwards."""
    if abs(x) >= abs(y):
        return 0 if x >= 0 else 180
    return 90 if y > 0 else 270


def middle(box: tuple[float, float, float, float], x: float, y: float) -> float:
    """Returns how far the middle of a letter is along the direction of reading, a vector whose y grows downwards."""
    left, top, right, bottom = box
    return (left + right) / 2 * x + (top + bottom) / 2 * y


def parted(letters: Iterable[Letter[T]], direction: tuple[float, float], size: float) -> list[list[Letter[T]]]:
    """Returns the letters of each word of a line as they stand, by the gaps and the wide white space between them."""
    x, y = direction
    placed: list[tuple[float, float, Letter[T]]] = []
    for letter in letters:
        left, top, right, bottom = letter[1]
        one, other = left * x + top * y, right * x + bottom * y
        placed.append((min(one, other), max(one, other), letter))
    placed.sort(key=lambda item: item[:2])
    words: list[list[Letter[T]]] = []
    end = float("-inf")
    for begin, until, letter in placed:
        if letter[0].isspace():
            if until - begin > _SPACE * size / 2:
                end = float("-inf")
            continue
        if begin - end > _SPACE * size:
            words.append([])
        words[-1].append(letter)
        end = max(end, until)
    return words


def joined(words: Sequence[Sequence[Letter[T]]], direction: tuple[float, float]) -> str:
    """Returns words as they stand, with spaces in between, in the order in which they are read."""
    placed = [[(char, middle(box, *direction)) for char, box, _ in word] for word in words]
    spaces = [(" ", (one[-1][1] + other[0][1]) / 2) for one, other in pairwise(placed)]
    return logical([letter for word in placed for letter in word] + spaces)


def content_of(
    runs: Sequence[TextRun],
    *,
    size: tuple[float, float],
    pictures: Sequence[tuple[Box, int]],  # with their numbers of pixels
    paths: Sequence[Box],
    drawings: int,
    fonts: Sequence[str],
) -> PageContent:
    """Returns what is on a page, of which a stranger's file may have any number."""
    width, height = size
    text = "\n".join(run.text for run in runs)
    chars, bad = count_text(text)
    boxes = _on_page([box for box, _ in pictures], width, height)
    page = Box(0.0, 0.0, width, height)
    return PageContent(
        text=text,
        chars=chars,
        bad=bad,
        invisible=sum(count_visible(run.text) for run in runs if not run.visible),
        cover=max((cover([box], page) for box in boxes), default=0.0),
        drawings=drawings,
        image_pixels=max((pixels for _, pixels in pictures), default=0),
        width=width,
        height=height,
        runs=tuple(runs) if len(runs) <= MOST_RUNS else (),
        pictures=boxes,
        paths=_on_page(paths, width, height),
        fonts=tuple(fonts[:_MOST_FONTS]),
    )


def check_found(content: PageContent, index: int, *, cut: bool) -> PageContent:
    """Raise BadDocument for an empty page of a file whose end is lost, and with it perhaps what is on the page."""
    if cut and not (content.runs or content.text or content.pictures or content.paths):
        raise BadDocument(f"page {index + 1} is empty, perhaps since the end of the PDF document is lost", "data")
    return content


def _on_page(boxes: Iterable[Box], width: float, height: float) -> tuple[Box, ...]:
    page = Box(0.0, 0.0, width, height)
    return tuple(islice((part for box in boxes if (part := overlap(box, page))), MOST_BOXES))


def line_of(words: Iterable[Word]) -> Line | None:
    """Returns the line of some words, None if there are none."""
    found = tuple(words)
    return Line(union([word.box for word in found]), found) if found else None
