"""Decides whether a page is read directly or by OCR.

Pure: turns what a PDF engine found on one page into a decision with its reason. Never decides for a whole document, and
ignores tags and producer names, which are unreliable.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_THRESHOLD = 100  # visible characters

# Measured on mixed corpora at the default threshold: 20 characters over a picture, 400 over a full-page scan.
_FEW = 1 / 5
_SPARSE = 4
_GARBLED_SHARE = 0.10  # of meaningless characters
_PICTURE_COVER = 0.05  # of the page; a smaller picture is a logo or a line
_SCAN_COVER = 0.65  # of the page; a scan may have cropped margins
_MANY_DRAWINGS = 30  # paths, as of letters converted to outlines; an empty table grid has fewer


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
class PageContent:
    """What is on one page before OCR. Lengths count non-whitespace characters."""

    text: str  # the text layer, invisible text included
    chars: int
    bad: int  # of chars: U+FFFD, C0 controls and private use
    invisible: int  # of chars: drawn in render mode 3
    cover: float  # the largest picture's share of the page, 0..1
    drawings: int  # vector paths; counted only on pages with little text
    image_pixels: int  # of the picture with the most pixels; 0 without pictures


@dataclass(frozen=True, slots=True)
class Decision:
    method: Method
    reason: Reason
    usable: bool  # whether the page's own text layer is usable


def count_visible(text: str) -> int:
    """Returns the number of non-whitespace characters of a text."""
    return len("".join(text.split()))


def count_text(text: str) -> tuple[int, int]:
    """Returns the number of visible characters of a text, and how many of them are meaningless."""
    visible = "".join(text.split())
    if visible.isascii() and visible.isprintable():  # the common case, at C speed
        return len(visible), 0
    bad = sum(1 for char in visible if char == "\ufffd" or unicodedata.category(char) in ("Cc", "Co", "Cn", "Cs"))
    return len(visible), bad


def decide(
    content: PageContent, *, threshold: int = DEFAULT_THRESHOLD, force: bool = False, keep: bool = False
) -> Decision:
    """Decide how to read a page.

    `threshold` is the number of visible characters that is enough, `force` requests OCR for every page, and `keep`
    accepts the invisible text of an earlier OCR run.
    """
    natural = _natural(content, threshold, keep)
    usable = natural in (Reason.TEXT_LAYER, Reason.INVISIBLE_TEXT_KEPT)
    if force:
        return Decision(Method.OCR, Reason.FORCED, usable)
    direct = usable or natural is Reason.BLANK
    return Decision(Method.DIRECT if direct else Method.OCR, natural, usable)


def _natural(content: PageContent, threshold: int, keep: bool) -> Reason:
    layered = content.invisible * 2 > content.chars
    chars = content.chars if keep else content.chars - content.invisible
    if content.bad > content.chars * _GARBLED_SHARE:
        return Reason.GARBLED
    if layered and not keep:
        return Reason.INVISIBLE_TEXT
    if chars < threshold * _FEW:
        if content.cover > _PICTURE_COVER:
            return Reason.IMAGE
        if content.drawings >= _MANY_DRAWINGS:
            return Reason.VECTOR_TEXT
    if content.chars == 0:
        return Reason.BLANK
    if content.cover > _SCAN_COVER and chars < threshold * _SPARSE and not layered:
        return Reason.SPARSE_TEXT
    # A page with only text gains nothing from OCR, unless the caller distrusts text layers by a high threshold.
    if threshold > DEFAULT_THRESHOLD and chars < threshold:
        return Reason.BELOW_THRESHOLD
    return Reason.INVISIBLE_TEXT_KEPT if layered else Reason.TEXT_LAYER
