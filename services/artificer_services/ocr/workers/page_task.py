"""Reads one page as was decided, and corrects the decision by what OCR finds.

A text layer is never replaced by worse text, and what OCR makes of pictures without text is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..page.blocks import arrange
from ..page.boxes import overlap, union
from ..page.comparison import compare
from ..page.content import PageContent, TextRun
from ..page.layout import Box, Line, PageLayout
from ..page.places import scaled
from ..page.plausibility import Plausibility, plausibility
from ..page.reading import PageReading
from ..page.reading_order import text_of
from ..page.routing import Decision, Method, Reason
from ..page.turning import put_back, put_lines_back
from ..pdf.engine import PdfDocument
from ..recognition.engine import Reading
from ..recognition.ink import may_have_text
from .pixels import PagePixels
from .probe import Verdict, leaves_text, probe

_LINE_CONFIDENCE = 0.6  # of a line found in a picture
_PICTURE_CONFIDENCE = 0.7  # of all lines of a picture; OCR makes 0.3 to 0.6 of photographs
_PICTURE_LETTERS = 6
_PICTURE_QUALITY = 0.5
_MOST_DRAWN = 2_000  # runs of a text layer with which each line or word that OCR finds is compared


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is on a page: its text in reading order, how that reads, and what was decided."""

    content: PageContent
    text: str
    layer: Plausibility
    seen: PageReading


_BROKEN = (Reason.GARBLED, Reason.IMPLAUSIBLE_TEXT)  # pages whose text layer says something else than is seen


class PageTask:
    """Reads one page."""

    def __init__(
        self, document: PdfDocument, index: int, page: Inspected, pixels: PagePixels, *, layout: bool, only_ocr: bool
    ) -> None:
        self._document = document
        self._index = index
        self._page = page
        self._pixels = pixels
        self._wants_layout = layout
        self._only_ocr = only_ocr

    def run(self) -> PageReading:
        """Returns the page as it reads. Raises OcrError."""
        decision, content = self._page.seen.decision, self._page.content
        if decision.method is Method.MIXED:
            return self._read_regions(decision.regions)
        if decision.reason is Reason.UNCOVERED_PICTURES:
            return self._read_regions((Box(0.0, 0.0, content.width, content.height),))
        if decision.method is Method.DIRECT and decision.settled:
            return self._layer(decision)
        if not decision.settled and self._is_confirmed():
            kept = decision.reason is Reason.INVISIBLE_TEXT_KEPT
            return self._layer(decision if kept else _direct(Reason.LAYER_KEPT))
        return self._read_whole()

    def _is_confirmed(self) -> bool:
        """Whether the pixels do not contradict a text layer."""
        content = self._page.content
        verdict = probe(content, lambda box: self._pixels.recognize(self._pixels.draw(box)))
        if verdict is Verdict.DIFFERS:
            return False
        return not (content.invisible and leaves_text(content, self._pixels.draw_coarsely()))

    def _layer(self, decision: Decision) -> PageReading:
        layout = self._layout(self._words()) if self._wants_layout else None
        page = self._page
        return replace(page.seen, decision=decision, text=page.text, confidence=page.layer.quality, layout=layout)

    def _read_whole(self) -> PageReading:
        page = self._page
        raster = self._pixels.draw()
        found = self._pixels.recognize(raster)
        compared = compare(page.text, page.layer, page_text(found.text), found.confidence) if page.text else None
        seen, decision = page.seen, page.seen.decision
        if compared and decision.reason is Reason.FORCED:
            compared = replace(compared, kept="ocr")
        elif compared and compared.kept == "layer":
            layered = page.content.invisible * 2 > page.content.chars
            kept = self._layer(_direct(Reason.INVISIBLE_TEXT_KEPT if layered else Reason.LAYER_KEPT))
            return replace(kept, comparison=compared)
        if decision.reason is Reason.INVISIBLE_TEXT_KEPT:
            decision = Decision(Method.OCR, Reason.INVISIBLE_TEXT, usable=False)
        size = page.content.width, page.content.height
        layout = (
            layout_of(found, size[0] / raster.image.width, size, page.content.paths) if self._wants_layout else None
        )
        if layout and self._only_ocr and decision.reason not in _BROKEN:
            layout = _without_drawn(layout, page.content)
        return recognized(replace(seen, decision=decision, comparison=compared), found, layout)

    def _read_regions(self, regions: Sequence[Box]) -> PageReading:
        """Read regions by OCR and put what they say between the text of the layer."""
        page, content = self._page, self._page.content
        read: list[Box] = []
        lines: list[Line] = []
        runs: list[TextRun] = []
        last: Reading | None = None
        for region in regions:
            raster = self._pixels.draw(region)
            if not may_have_text(raster.image):
                continue
            found = self._pixels.recognize(raster)
            scale = (region.right - region.left) / raster.image.width
            placed = put_lines_back(scaled(found.lines, scale), found.turn.scaled(scale))
            new = _readable(scaled(placed, 1.0, region.left, region.top), content)
            if new:
                read.append(region)
                lines += new
                turned = (360 - found.rotation) % 360
                runs += [TextRun(line.text, line.box, _size(line), turned) for line in new]
                last = found
        if last is None:
            return self._layer(_direct(Reason.TEXT_LAYER))
        text = page_text(text_of([*content.runs, *runs], content.width, content.height, content.paths))
        decision = page.seen.decision
        if decision.method is Method.MIXED:
            decision = replace(decision, settled=True, regions=tuple(read))
        made = replace(
            page.seen,
            decision=decision,
            layout=self._layout([*self._words(), *lines]) if self._wants_layout else None,
        )
        return replace(
            recognized(made, last, made.layout),
            text=text,
            confidence=_mean(page.text, page.layer, lines),
            rotation=0,
            skew=0.0,
        )

    def _words(self) -> list[Line]:
        if self._only_ocr:
            return []
        quality = self._page.layer.quality
        return [
            line._replace(words=tuple(word._replace(confidence=quality) for word in line.words))
            for line in self._document.words(self._index)
        ]

    def _layout(self, lines: Sequence[Line]) -> PageLayout:
        content = self._page.content
        blocks = arrange(lines, content.paths, content.width, content.height)
        return PageLayout(width=content.width, height=content.height, blocks=blocks)


def layout_of(found: Reading, scale: float, size: tuple[float, float], paths: Sequence[Box] = ()) -> PageLayout:
    """Returns what OCR found on a page of `size` in points, a pixel of whose raster is `scale` points."""
    turn = found.turn.scaled(scale)
    blocks = arrange(scaled(found.lines, scale), () if turn.rotation or turn.skew else paths, *turn.size)
    return PageLayout(width=size[0], height=size[1], blocks=put_back(blocks, turn), rotation=found.rotation)


def recognized(seen: PageReading, found: Reading, layout: PageLayout | None) -> PageReading:
    """Returns a page with what OCR found on it."""
    return replace(
        seen,
        text=page_text(found.text),
        confidence=found.confidence,
        layout=layout,
        rotation=found.rotation,
        skew=found.skew,
        dpi=found.dpi,
        languages=found.languages,
        script=found.script,
    )


def page_text(text: str) -> str:
    """Returns the text of a page without form feeds, which part the pages of a document."""
    return text.replace("\f", "\n").strip()


def _direct(reason: Reason) -> Decision:
    return Decision(Method.DIRECT, reason, usable=True)


def _readable(lines: Sequence[Line], content: PageContent) -> list[Line]:
    """Returns the lines that OCR found in a picture, without those that the text layer has; none if it read none."""
    found = [line for line in lines if _confidence(line) >= _LINE_CONFIDENCE and _letters(line.text) > 1]
    letters = sum(_letters(line.text) for line in found)
    if letters < _PICTURE_LETTERS:
        return []
    if sum(_confidence(line) * _letters(line.text) for line in found) < _PICTURE_CONFIDENCE * letters:
        return []
    if plausibility("\n".join(line.text for line in found)).quality < _PICTURE_QUALITY:
        return []
    around = union([line.box for line in found])
    drawn = [run.box for run in content.runs if run.visible and run.text.strip() and overlap(run.box, around)]
    drawn = drawn[:_MOST_DRAWN]
    return [line for line in found if not _is_drawn(line.box, drawn)]


def _without_drawn(layout: PageLayout, content: PageContent) -> PageLayout:
    """Returns a layout without the words that the text layer has too, such as those of a stamp on a scan."""
    drawn = [run.box for run in content.runs if run.visible and run.text.strip()][:_MOST_DRAWN]
    if not drawn:
        return layout
    blocks = tuple(
        replace(block, lines=tuple(line for line in (_left(line, drawn) for line in block.lines) if line.words))
        for block in layout.blocks
    )
    return replace(layout, blocks=tuple(block for block in blocks if block.lines))


def _left(line: Line, drawn: Sequence[Box]) -> Line:
    return line._replace(words=tuple(word for word in line.words if not _is_drawn(word.box, drawn)))


def _is_drawn(box: Box, drawn: Sequence[Box]) -> bool:
    """Whether the text layer has the text of most of a line."""
    parts = [part for other in drawn if (part := overlap(other, box))]
    if not parts:
        return False
    covered = union(parts)
    size = (box.right - box.left) * (box.bottom - box.top)
    return (covered.right - covered.left) * (covered.bottom - covered.top) > size / 2


def _confidence(line: Line) -> float:
    return sum(word.confidence for word in line.words) / len(line.words)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _size(line: Line) -> float:
    return max(word.size for word in line.words) or line.box.bottom - line.box.top


def _mean(text: str, layer: Plausibility, lines: Sequence[Line]) -> float:
    weights = [(_letters(text), layer.quality), *((_letters(line.text), _confidence(line)) for line in lines)]
    return sum(weight * quality for weight, quality in weights) / max(sum(weight for weight, _ in weights), 1)
