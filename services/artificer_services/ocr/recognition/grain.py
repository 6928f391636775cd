"""Smooths the grain of scans, which Tesseract reads as punctuation: `;` becomes `:`, and dots appear between words."""

from __future__ import annotations

from PIL import Image, ImageFilter

from ..page.raster import Raster

# The second difference in both directions: zero on plain areas and slopes (Immerkaer 1996, "Fast Noise Variance
# Estimation").
_SECOND_DIFFERENCE = ImageFilter.Kernel((3, 3), (1, -2, 1, -2, 4, -2, 1, -2, 1), scale=1, offset=128)
_BANDS, _BAND_HEIGHT = 3, 128  # what is measured of a page
# The median of the second difference: 0 on clean pages, even as JPEG; 30 to 80 on the scans of the benchmark.
_GRAINY = 12
# Pixels. Measured on scans of 150 and 200 dpi: without smoothing 0.24 and 0.08 % of the characters were wrong, with 0.6
# pixels 0.07 and 0.05 %, with 0.8 pixels 0.06 and 0.02 %. A median filter changed nothing.
_SMOOTHING = 0.8


def smoothed(raster: Raster) -> Raster:
    """Returns a picture without most of its grain; the picture itself if it has none."""
    if grain(raster.image) < _GRAINY:
        return raster
    return Raster(raster.image.filter(ImageFilter.GaussianBlur(_SMOOTHING)), raster.dpi)


def grain(image: Image.Image) -> int:
    """Returns how grainy the ground of a gray picture is: the median of its second difference, in levels."""
    levels = [0] * 129
    for number in range(_BANDS):
        top = max(0, (2 * number + 1) * image.height // (2 * _BANDS) - _BAND_HEIGHT // 2)
        band = image.crop((0, top, image.width, min(top + _BAND_HEIGHT, image.height)))
        for value, count in enumerate(band.filter(_SECOND_DIFFERENCE).histogram()):
            levels[abs(value - 128)] += count
    half, seen = sum(levels) / 2, 0
    for level, count in enumerate(levels):
        seen += count
        if seen >= half:
            return level
    return 0
