"""The rule by which a page is read directly or by OCR.

Pure: takes what a PDF engine saw on one page, gives a decision with its reason. Never decides for a whole document,
and never by tags or producer names, which lie.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_THRESHOLD = 100  # visible characters

# Measured on mixed corpora at the default threshold: 20 characters over a picture, 400 over a full-page scan.
_FEW = 1 / 5
_SPARSE = 4
_GARBLED_SHARE = 0.10  # of characters without a meaning
_PICTURE_COVER = 0.05  # of the page: less is a logo or a rule
_SCAN_COVER = 0.65  # of the page: a scan with margins cropped
_MANY_DRAWINGS = 30  # paths: letters turned to outlines; a table grid with no text has fewer


class Method(StrEnum):
    DIRECT = "direct"
    OCR = "ocr"


class Reason(StrEnum):
    TEXT_LAYER = "text_layer"
    BLANK = "blank"
    FORCED = "forced"
    IMAGE = "image"
    VECTOR_TEXT = "vector_text"
    SPARSE_TEXT = "sparse_text"
    GARBLED = "garbled"
    INVISIBLE_TEXT = "invisible_text"
    INVISIBLE_TEXT_KEPT = "invisible_text_kept"
    BELOW_THRESHOLD = "below_threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is on one page, before any OCR. Lengths count characters that are not white space."""

    text: str  # the text layer, invisible text included
    chars: int
    bad: int  # of chars: U+FFFD, C0 controls and private use
    invisible: int  # of chars: drawn in render mode 3
    cover: float  # the largest picture's share of the page, 0..1
    drawings: int  # vector paths; counted only on pages with little text
    image_pixels: int  # of the picture with the most pixels, 0 where there is none


@dataclass(frozen=True, slots=True)
class Decision:
    method: Method
    reason: Reason
    usable: bool  # whether the page's own text layer would do


def count_visible(text: str) -> int:
    """Count the characters of a text that are not white space."""
    return len("".join(text.split()))


def count_text(text: str) -> tuple[int, int]:
    """Count (visible characters, those of them that mean nothing) in the text of a page."""
    visible = "".join(text.split())
    if visible.isascii() and visible.isprintable():  # the common case, at C speed
        return len(visible), 0
    bad = sum(1 for char in visible if char == "\ufffd" or unicodedata.category(char) in ("Cc", "Co", "Cn", "Cs"))
    return len(visible), bad


def decide(sight: Sight, *, threshold: int = DEFAULT_THRESHOLD, force: bool = False, keep: bool = False) -> Decision:
    """Decide how to read a page.

    `threshold` is in visible characters (0: no page lacks text), `force` asks for OCR whatever there is, `keep`
    trusts the invisible text of an earlier OCR run.
    """
    natural = _natural(sight, threshold, keep)
    usable = natural in (Reason.TEXT_LAYER, Reason.INVISIBLE_TEXT_KEPT)
    if force:
        return Decision(Method.OCR, Reason.FORCED, usable)
    direct = usable or natural is Reason.BLANK
    return Decision(Method.DIRECT if direct else Method.OCR, natural, usable)


def _natural(sight: Sight, threshold: int, keep: bool) -> Reason:
    layered = sight.invisible * 2 > sight.chars
    chars = sight.chars if keep else sight.chars - sight.invisible
    if sight.bad > sight.chars * _GARBLED_SHARE:
        return Reason.GARBLED
    if layered and not keep:
        return Reason.INVISIBLE_TEXT
    if chars < threshold * _FEW:
        if sight.cover > _PICTURE_COVER:
            return Reason.IMAGE
        if sight.drawings >= _MANY_DRAWINGS:
            return Reason.VECTOR_TEXT
    if sight.chars == 0:
        return Reason.BLANK
    if sight.cover > _SCAN_COVER and chars < threshold * _SPARSE and not layered:
        return Reason.SPARSE_TEXT
    # A page with nothing but text gains nothing from OCR, unless the caller says by a high threshold that text
    # layers are not to be trusted.
    if threshold > DEFAULT_THRESHOLD and chars < threshold:
        return Reason.BELOW_THRESHOLD
    return Reason.INVISIBLE_TEXT_KEPT if layered else Reason.TEXT_LAYER
