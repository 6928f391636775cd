"""A page as gray pixels, and the choice of its size.

Limits are checked on declared sizes, so that a page is refused before anything is rendered. Only a picture that is to
be reduced is looked at: small letters need more pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import ImageFilter

from ..errors import BadChoice, TooLarge
from .print_size import x_height

if TYPE_CHECKING:
    from PIL.Image import Image

POINTS = 72  # per inch
MIN_DPI = 72  # below it, body text is no longer legible to Tesseract
# Pixels of the height of a small x. Of scans of 7 points at 300 dpi, 2.1 % of characters were wrong at 200 dpi, where
# the height is 9, and 0.13 % with 12; body text at 200 dpi has 14.
_LEGIBLE = 12
_SMOOTHED = 0.9  # of the resolution of a scan with small letters
_BLUR = 0.8  # pixels: averages the noise of a scanner, which can hide all lines of small print
FINER = 1.5  # times the cap: the most for small letters
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


def shrink(image: Image, dpi: float, cap: int, *, exact: bool = False) -> Raster:
    """Reduce a gray picture of `dpi` to at most `cap` dots per inch, or to more if its letters are small.

    With `exact`, letters are not measured.
    """
    if dpi <= cap * 1.05:  # a difference within rounding; resampling would only blur
        return Raster(image, round(dpi))
    if not exact:
        higher = _for_letters(image, dpi, min(dpi * _SMOOTHED, cap * FINER))
        if higher > cap:
            image, cap = image.filter(ImageFilter.GaussianBlur(_BLUR)), higher
    size = (max(1, round(image.width * cap / dpi)), max(1, round(image.height * cap / dpi)))
    return Raster(image.resize(size, resample=3, reducing_gap=2.0), cap)  # 3 is bicubic


def finer(raster: Raster, most: int) -> int:
    """Returns the resolution, at most `most`, at which to draw a page again because its letters are small, or 0."""
    dpi = _for_letters(raster.image, raster.dpi, most)
    return dpi if dpi > raster.dpi * 1.1 else 0


def _for_letters(image: Image, dpi: float, most: float) -> int:
    """Returns the resolution at which the letters of a picture of `dpi` are large enough, at most `most`."""
    height = x_height(image)
    if not height or height * most < _LEGIBLE * dpi * 0.5:  # too small for any resolution: a texture, not letters
        return 0
    return int(min(most, dpi * _LEGIBLE / height))
