"""What a PDF engine finds on one page before anything is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .layout import Box


class TextRun(NamedTuple):
    """A piece of one line of the text layer as the file draws it, with the spaces in between.

    `text` is in the order of the file, so that scripts written from right to left may be in visual order. `turned` is
    the direction of reading in degrees clockwise: 0, 90, 180 or 270. A run that is not `visible` is that of an earlier
    OCR run (render mode 3).
    """

    text: str
    box: Box
    size: float  # of the font, in points
    turned: int = 0
    visible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContent:
    """What is on one page before OCR. Lengths count non-whitespace characters."""

    text: str  # the text layer, invisible text included
    chars: int
    bad: int  # of chars: U+FFFD, C0 controls and private use
    invisible: int  # of chars: drawn in render mode 3
    cover: float  # the largest picture's share of the page, 0..1
    drawings: int  # vector paths
    image_pixels: int  # of the picture with the most pixels; 0 without pictures
    width: float = 0.0  # of the displayed page in points
    height: float = 0.0
    runs: tuple[TextRun, ...] = ()  # empty if there are more than 20,000
    pictures: tuple[Box, ...] = ()  # the first 5,000
    paths: tuple[Box, ...] = ()  # bounding boxes of vector drawings; the first 5,000, or none of more than 20,000
    fonts: tuple[str, ...] = ()  # names of the fonts used
