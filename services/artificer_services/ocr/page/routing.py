"""Decides whether a page is read directly, by OCR, or both.

Pure: turns what a PDF engine found on one page into a decision with its reason. Never decides for a whole document, and
ignores tags and producer names, which are unreliable.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from .boxes import area
from .content import PageContent
from .layout import Box
from .plausibility import Plausibility, count_broken
from .uncovered import is_outlined, picture_share, uncovered

DEFAULT_THRESHOLD = 100  # visible characters

# Measured on mixed corpora at the default threshold: 20 characters over a picture, 400 over a full-page scan.
_FEW = 1 / 5
_SPARSE = 4
_GARBLED_SHARE = 0.10  # of meaningless characters
_BROKEN_SHARE, _BROKEN_LEAST = 0.015, 3  # of meaningless characters within words, as of one letter or ligature
_PICTURE_COVER = 0.05  # of the page; less is a logo or a line
_SCAN_COVER = 0.65  # of the page; a scan may have cropped margins
_OUTLINED = 200  # paths from which on a page with some text may have outlined letters too
_SOUND = Plausibility(0.9)
_MANY_DRAWINGS = 30  # paths, as of letters converted to outlines; an empty table grid has fewer


class Method(StrEnum):
    DIRECT = "direct"
    OCR = "ocr"
    MIXED = "mixed"  # the text layer directly, and the pictures that it does not cover by OCR
    NONE = ""  # the page could not be read


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
    UNCOVERED_PICTURES = "uncovered_pictures"
    IMPLAUSIBLE_TEXT = "implausible_text"
    LAYER_KEPT = "layer_kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """How a page is read, and why. One that is not `settled` is confirmed or changed when the page is read."""

    method: Method
    reason: Reason
    usable: bool  # whether the page's own text layer is usable
    settled: bool = True
    regions: tuple[Box, ...] = ()  # the parts of a page of Method.MIXED that OCR reads


def count_visible(text: str) -> int:
    """Returns the number of non-whitespace characters of a text."""
    return len("".join(text.split()))


def count_text(text: str) -> tuple[int, int]:
    """Returns the number of visible characters of a text, and how many of them are meaningless."""
    visible = "".join(text.split())
    if visible.isprintable() and "\ufffd" not in visible:  # the common case, at C speed
        return len(visible), 0
    bad = sum(1 for char in visible if char == "\ufffd" or unicodedata.category(char) in ("Cc", "Co", "Cn", "Cs"))
    return len(visible), bad


def decide(
    content: PageContent,
    *,
    threshold: int = DEFAULT_THRESHOLD,
    force: bool = False,
    keep: bool = False,
    layer: Plausibility = _SOUND,
) -> Decision:
    """Decide how to read a page.

    `threshold` is the number of visible characters that is enough, `force` requests OCR for every page, `keep` accepts
    the invisible text of an earlier OCR run, and `layer` tells how the text layer reads.
    """
    natural = _natural(content, threshold, keep, layer)
    usable = natural in (Reason.TEXT_LAYER, Reason.INVISIBLE_TEXT_KEPT)
    if force:
        return Decision(Method.OCR, Reason.FORCED, usable)
    if natural is Reason.TEXT_LAYER and threshold >= DEFAULT_THRESHOLD:
        regions = uncovered(content)
        if sum(area(region) for region in regions) > _SCAN_COVER * content.width * content.height:
            return Decision(Method.OCR, Reason.UNCOVERED_PICTURES, usable)
        if regions:
            return Decision(Method.MIXED, Reason.UNCOVERED_PICTURES, usable, settled=False, regions=regions)
    settled = natural is not Reason.IMPLAUSIBLE_TEXT and (natural is not Reason.INVISIBLE_TEXT_KEPT or keep)
    direct = usable or natural is Reason.BLANK
    return Decision(Method.DIRECT if direct else Method.OCR, natural, usable, settled)


def _natural(content: PageContent, threshold: int, keep: bool, layer: Plausibility) -> Reason:
    layered = content.invisible * 2 > content.chars
    chars = content.chars if keep else content.chars - content.invisible
    if _is_garbled(content):
        return Reason.GARBLED
    if layered and not keep:
        return Reason.INVISIBLE_TEXT if layer.doubtful else Reason.INVISIBLE_TEXT_KEPT
    share = picture_share(content)
    if chars < threshold * _FEW:
        if share > _PICTURE_COVER:
            return Reason.IMAGE
        if content.drawings >= _MANY_DRAWINGS:
            return Reason.VECTOR_TEXT
    if content.chars == 0:
        return Reason.BLANK
    if chars < threshold * _SPARSE and not layered:
        if share > _SCAN_COVER:
            return Reason.SPARSE_TEXT
        if content.drawings >= _OUTLINED and is_outlined(content):
            return Reason.VECTOR_TEXT
    # A page with only text gains nothing from OCR, unless the caller distrusts text layers by a high threshold.
    if threshold > DEFAULT_THRESHOLD and chars < threshold:
        return Reason.BELOW_THRESHOLD
    if layered:
        return Reason.INVISIBLE_TEXT_KEPT
    return Reason.IMPLAUSIBLE_TEXT if layer.doubtful else Reason.TEXT_LAYER


def _is_garbled(content: PageContent) -> bool:
    """Whether too many characters have no meaning. Those within words count more: bullets stand alone."""
    if not content.bad:
        return False
    if content.bad > content.chars * _GARBLED_SHARE:
        return True
    broken = count_broken(content.text)
    return broken >= _BROKEN_LEAST and broken > content.chars * _BROKEN_SHARE
