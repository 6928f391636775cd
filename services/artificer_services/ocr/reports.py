"""Pages as messages of artificer.ocr.v1: their reports and their layouts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import grpc

from artificer.ocr.v1 import ocr_service_pb2 as pb

from .engine import Page
from .errors import OcrError, Unexpected
from .page.layout import Block, BlockKind, Box, Line
from .page.reading import Comparison
from .page.routing import Method, Reason

_log = logging.getLogger(__name__)

REASONS = {reason: pb.PageReason.Value(f"PAGE_REASON_{reason.name}") for reason in Reason}
INTERNAL = "internal error while reading the document"
_KINDS = {kind: pb.TextBlockKind.Value(f"TEXT_BLOCK_KIND_{kind.name}") for kind in BlockKind}


def page_report(page: Page) -> pb.PageReport:
    """Returns how a page was read, and why."""
    return pb.PageReport(
        page_number=page.number,
        method=page.decision.method.value,
        reason=REASONS[page.decision.reason],
        text_length=page.text_length,
        invisible_text=page.invisible,
        confidence=page.confidence,
        ocr_regions=[_box(region) for region in page.decision.regions],
        comparison=_comparison(page.comparison) if page.comparison else None,
        rotation_degrees=page.rotation,
        skew_degrees=page.skew,
        ocr_dpi=page.dpi,
        languages=page.languages,
        script=page.script,
        error=_page_error(page.number, page.error) if page.error else None,
    )


def page_layout(page: Page) -> pb.PageLayout | None:
    """Returns the words of a page with their places, or None if they were not asked for."""
    layout = page.layout
    if layout is None:
        return None
    return pb.PageLayout(
        page_number=page.number,
        width=round(layout.width, 3),
        height=round(layout.height, 3),
        blocks=[_block(block) for block in layout.blocks],
    )


def document_method(pages: Sequence[Page]) -> str:
    """Returns how the document was read. Blank pages, which are read directly, do not count as direct."""
    used = {page.decision.method for page in pages if page.decision.reason is not Reason.BLANK} - {Method.NONE}
    if Method.MIXED in used or len(used) == 2:
        return Method.MIXED.value
    return Method.OCR.value if Method.OCR in used else Method.DIRECT.value


def uses_ocr(page: Page) -> bool:
    """Whether OCR reads the page or a part of it."""
    return page.decision.method in (Method.OCR, Method.MIXED)


def _page_error(number: int, error: OcrError) -> pb.PageError:
    if isinstance(error, Unexpected):
        _log.error("internal error while reading page %d: %s", number, error.message)
        return pb.PageError(code=grpc.StatusCode.INTERNAL.value[0], message=INTERNAL)
    return pb.PageError(code=grpc.StatusCode[error.kind.name].value[0], message=error.message)


def _comparison(compared: Comparison) -> pb.TextComparison:
    return pb.TextComparison(layer_quality=compared.layer, ocr_quality=compared.ocr, kept=compared.kept)


def _box(box: Box) -> pb.BoundingBox:
    left, top, right, bottom = (round(value, 3) for value in box)
    return pb.BoundingBox(left=left, top=top, right=right, bottom=bottom)


def _block(block: Block) -> pb.TextBlock:
    rows = [
        pb.TableRow(
            cells=[
                pb.TableCell(text=cell.text, box=_box(cell.box), column_span=cell.columns, row_span=cell.rows)
                for cell in row
            ]
        )
        for row in block.rows
    ]
    return pb.TextBlock(
        kind=_KINDS[block.kind],
        box=_box(block.box),
        lines=[_line(line) for line in block.lines],
        level=block.level,
        rows=rows,
    )


def _line(line: Line) -> pb.TextLine:
    words = [
        pb.Word(text=word.text, box=_box(word.box), confidence=round(word.confidence, 3), font_size=round(word.size, 3))
        for word in line.words
    ]
    return pb.TextLine(box=_box(line.box), words=words)
