"""A page as gray pixels, and the choice of its size.

Computes with declared sizes only, so that a page is refused before anything is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import BadChoice, TooLarge

if TYPE_CHECKING:
    from PIL.Image import Image

POINTS = 72  # per inch
MIN_DPI = 72  # below it, body text is no longer legible to Tesseract
MAX_SIDE = 32_000  # pixels; Tesseract's own limit is 32767


@dataclass(frozen=True, slots=True)
class Raster:
    """One page for OCR: an 8-bit gray image and its resolution in dots per inch, 0 if unknown."""

    image: Image
    dpi: int


def check_page(width: float, height: float, number: int, limit: int) -> None:
    """Raise TooLarge if a page, in points, is too large even at the lowest resolution."""
    if width * height > limit or max(width, height) > MAX_SIDE:
        raise TooLarge(
            f"page {number} has a declared size of {width / POINTS:,.0f} by {height / POINTS:,.0f} inches; "
            f"at {MIN_DPI} dpi that is more than {limit:,} pixels, the limit",
            "data",
        )


def check_pixels(width: int, height: int, what: str, limit: int) -> None:
    """Raise TooLarge if a picture has more than `limit` pixels."""
    if width * height > limit:
        raise TooLarge(f"{what} has {width:,} by {height:,} pixels; at most {limit:,} in total are accepted", "data")


def choose_dpi(width: float, height: float, *, asked: int | None, native: float, cap: int, limit: int) -> int:
    """Returns the resolution at which to render a page of `width` by `height` points.

    `native` is the resolution of the scan that fills the page, or 0. A scan is never enlarged, which was measured to
    quadruple the errors. Raises BadChoice if `asked` makes the page larger than `limit` pixels.
    """
    dpi = asked or cap
    if native:
        dpi = min(dpi, max(round(native), MIN_DPI))
    scale = min((limit / max(width * height, 1)) ** 0.5, MAX_SIDE / max(width, height, 1))
    fits = int(scale * POINTS)
    if dpi <= fits:
        return dpi
    if asked:
        raise BadChoice(f"at {asked} dpi a page has too many pixels; use at most {fits} dpi", "dpi")
    return max(fits, 1)


def shrink(image: Image, dpi: float, cap: int) -> Raster:
    """Reduce a gray picture of `dpi` to at most `cap` dots per inch."""
    if dpi <= cap * 1.05:  # a difference within rounding; resampling would only blur
        return Raster(image, round(dpi))
    size = (max(1, round(image.width * cap / dpi)), max(1, round(image.height * cap / dpi)))
    return Raster(image.resize(size, resample=3, reducing_gap=2.0), cap)  # 3 is bicubic
