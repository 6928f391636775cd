"""Turns images, and tells whether there is anything to turn."""

from __future__ import annotations

from PIL import Image

from ..page.raster import Raster

_BLANK = 16  # the difference of the lightest and the darkest gray below which there is no print
_CLOCKWISE = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


def turned(raster: Raster, rotation: int, skew: float) -> Raster:
    """Turn an image clockwise by a multiple of 90 degrees, and then by a few, without losing a corner."""
    image = raster.image
    if rotation:
        image = image.transpose(_CLOCKWISE[rotation])
    if skew:
        image = image.rotate(-skew, Image.Resampling.BICUBIC, expand=True, fillcolor=paper(image))
    return Raster(image, raster.dpi)


def paper(image: Image.Image) -> int:
    """Returns the most frequent gray of an image, taken as the paper's."""
    counts = image.histogram()
    return counts.index(max(counts))


def has_print(image: Image.Image) -> bool:
    """Whether a gray image has any contrast."""
    low, high = image.getextrema()
    return bool(high - low > _BLANK)  # type: ignore[operator]  # one band
