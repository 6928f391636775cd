"""Compares one or two lines of a text layer with what OCR reads in their place, at a tenth of the cost of a page."""

from __future__ import annotations

from collections.abc import Callable
from difflib import SequenceMatcher
from enum import Enum, auto

from ..page.boxes import overlap
from ..page.content import PageContent, TextRun
from ..page.layout import Box
from ..page.raster import Raster
from ..recognition.engine import Reading
from ..recognition.ink import may_have_text

_LINES = 2
_LENGTH = range(12, 90)  # letters and digits of a line that is worth reading
_ALIKE = 0.6  # of the letters of a line
_SURE = 0.6  # confidence below which OCR cannot judge, as in a script that it does not know
_GAP = 0.12  # of the page's height without text


class Verdict(Enum):
    AGREES = auto()
    DIFFERS = auto()
    UNKNOWN = auto()  # OCR cannot read the lines


def probe(content: PageContent, read: Callable[[Box], Reading]) -> Verdict:
    """Returns whether lines of a text layer agree with what `read` finds in their places."""
    verdict = Verdict.UNKNOWN
    for run in _lines(content):
        found = read(_around(run, content))
        if found.confidence < _SURE:
            continue
        if _alike(run.text, found.text):
            return Verdict.AGREES
        verdict = Verdict.DIFFERS
    return verdict


def leaves_text(content: PageContent, page: Raster) -> bool:
    """Whether a page has ink like that of text in a large part of its height in which the layer has none."""
    places = sorted((run.box.top, run.box.bottom) for run in content.runs if run.text.strip())
    end, gaps = 0.0, []
    for top, bottom in [*places, (content.height, content.height)]:
        if top - end > _GAP * content.height:
            gaps.append((end, top))
        end = max(end, bottom)
    scale = page.image.height / content.height
    return any(
        may_have_text(page.image.crop((0, round(top * scale), page.image.width, round(bottom * scale))))
        for top, bottom in gaps
    )


def _lines(content: PageContent) -> list[TextRun]:
    """Returns the longest upright lines, from different parts of the page."""
    fit = [run for run in content.runs if not run.turned and sum(map(str.isalnum, run.text)) in _LENGTH]
    half = (len(fit) + 1) // 2
    parts = [part for part in (fit[:half], fit[half:]) if part]
    return [max(part, key=lambda run: len(run.text)) for part in parts][:_LINES]


def _around(run: TextRun, content: PageContent) -> Box:
    margin = (run.box.bottom - run.box.top) * 0.3
    left, top, right, bottom = run.box
    page = Box(0.0, 0.0, content.width, content.height)
    return overlap(Box(left - 2 * margin, top - margin, right + 2 * margin, bottom + margin), page) or run.box


def _alike(one: str, other: str) -> bool:
    one, other = ("".join(filter(str.isalnum, text.lower())) for text in (one, other))
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE
