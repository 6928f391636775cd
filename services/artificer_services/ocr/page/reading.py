"""How one page is read, and what was found on it: what a worker answers and a server reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import OcrError
from .layout import PageLayout
from .routing import Decision, Method, Reason

_FAILED = Decision(Method.NONE, Reason.FAILED, usable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The qualities, 0..1, of a page's text layer and of what OCR found, and which of the two was kept."""

    layer: float
    ocr: float
    kept: Literal["layer", "ocr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReading:
    """A page, read or only inspected.

    `text_length` and `invisible` are about the page's own text layer. What follows them is only known of pages that
    were read by OCR.
    """

    decision: Decision
    text: str = ""
    confidence: float | None = None  # 0..1; None if the page was only inspected
    layout: PageLayout | None = None  # if it was asked for
    text_length: int = 0  # visible characters
    invisible: bool = False  # whether it has the invisible text of an earlier OCR run
    comparison: Comparison | None = None
    rotation: int = 0  # degrees by which the page was turned clockwise
    skew: float = 0.0  # degrees by which it was turned to straighten its lines
    dpi: int = 0
    languages: tuple[str, ...] = ()
    script: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(PageReading):
    """A page of a document, or a frame of an image. `number` counts from 1, up to `of`.

    A page with an `error` could not be read, or not completely: it may still have the text of its own layer.
    """

    number: int
    of: int
    error: OcrError | None = None

    @classmethod
    def made(cls, number: int, of: int, reading: PageReading) -> Page:
        """Returns a page as a worker has read it."""
        return cls(number=number, of=of, **{name: getattr(reading, name) for name in PageReading.__slots__})

    @classmethod
    def failed(cls, number: int, of: int, error: OcrError) -> Page:
        """Returns a page that could not be read."""
        return cls(number=number, of=of, decision=_FAILED, error=error)
