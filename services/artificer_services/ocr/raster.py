"""A page as gray pixels, and the size it is given.

Pure arithmetic on declared sizes, so that a page is refused before anything is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import BadChoice, TooLarge

if TYPE_CHECKING:
    from PIL.Image import Image

POINTS = 72  # an inch
MIN_DPI = 72  # below it, body text is no longer legible to Tesseract
MAX_SIDE = 32_000  # pixels; Tesseract's own limit is 32767


@dataclass(frozen=True, slots=True)
class Raster:
    """One page for OCR: an 8-bit gray picture and its resolution in dots per inch, 0 where it is not known."""

    image: Image
    dpi: int


def check_page(width: float, height: float, number: int, limit: int) -> None:
    """Refuse a page, in points, that could not be read even at the lowest resolution: raises TooLarge."""
    if width * height > limit or max(width, height) > MAX_SIDE:
        raise TooLarge(
            f"page {number} is declared {width / POINTS:,.0f} by {height / POINTS:,.0f} inches large; "
            f"at {MIN_DPI} dpi that is over {limit:,} pixels",
            "data",
        )


def check_pixels(width: int, height: int, what: str, limit: int) -> None:
    """Refuse a picture of more than `limit` pixels: raises TooLarge."""
    if width * height > limit:
        raise TooLarge(f"{what} has {width:,} by {height:,} pixels; at most {limit:,} in all are accepted", "data")


def choose_dpi(width: float, height: float, *, asked: int | None, native: float, cap: int, limit: int) -> int:
    """Choose the resolution to read a page of `width` by `height` points at.

    `native` is the resolution of the scan that fills the page, 0 where none does: a scan is never enlarged, since that
    was measured to quadruple the errors. Raises BadChoice where `asked` makes the page larger than `limit` pixels.
    """
    dpi = asked or cap
    if native:
        dpi = min(dpi, max(round(native), MIN_DPI))
    scale = min((limit / max(width * height, 1)) ** 0.5, MAX_SIDE / max(width, height, 1))
    fits = int(scale * POINTS)
    if dpi <= fits:
        return dpi
    if asked:
        raise BadChoice(f"at {asked} dpi a page has too many pixels; at most {fits} dpi fit", "dpi")
    return max(fits, 1)


def shrink(image: Image, dpi: float, cap: int) -> Raster:
    """Reduce a gray picture of `dpi` to at most `cap` dots per inch."""
    if dpi <= cap * 1.05:  # a rounding apart; resampling would only blur
        return Raster(image, round(dpi))
    size = (max(1, round(image.width * cap / dpi)), max(1, round(image.height * cap / dpi)))
    return Raster(image.resize(size, resample=3, reducing_gap=2.0), cap)  # 3 is bicubic
