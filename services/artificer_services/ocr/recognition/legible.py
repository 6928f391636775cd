"""Enlarges pictures whose letters are too small to read, and corrects a resolution that cannot be true."""

from __future__ import annotations

from PIL import Image

from ..page.print_size import x_height
from ..page.raster import Raster

_MEASURED = 2_500_000  # pixels of pictures to measure, such as a page at 150 dpi; larger ones have pixels enough
# Pixels of pictures to enlarge: a screen, a snippet, a page at 96 dpi. A page at 150 dpi reads worse enlarged.
_ENLARGED = 1_000_000
# Pixels of the height of a small x: below the first, the picture is enlarged to the second.
_SMALL, _READABLE = 8.5, 12.0
_MOST = 3.0  # times
_SMALLEST = 4  # points of the smallest type; letters that would be smaller have another resolution than is stated
_BODY = 10  # points of the type of most pages


def legible(raster: Raster) -> tuple[Raster, float]:
    """Returns a picture, perhaps enlarged, and by how much; its resolution may be 0 if it is unknown."""
    image, dpi = raster.image, raster.dpi
    if image.width * image.height > _MEASURED:
        return raster, 1.0
    height = x_height(image)
    if not height:
        return raster, 1.0
    if dpi and 2 * height / dpi * 72 < _SMALLEST:  # a small x is about half as high as its type
        dpi = round(2 * height * 72 / _BODY)
    if height >= _SMALL or image.width * image.height > _ENLARGED:
        return Raster(image, dpi), 1.0
    scale = min(_READABLE / height, _MOST)
    size = (round(image.width * scale), round(image.height * scale))
    return Raster(image.resize(size, Image.Resampling.BICUBIC), round(dpi * scale)), scale
