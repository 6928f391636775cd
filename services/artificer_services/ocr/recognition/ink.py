"""Tells by its pixels whether a picture may have text, at a hundredth of the cost of OCR."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

_PIXELS = 500_000  # that are looked at
_CALM, _CALM_SHARE = 14, 0.3  # levels from the ground around it; text stands on a calm ground, foliage does not
_INK, _INK_SHARE = 44, (0.006, 0.35)  # levels from the ground around it; letters have this much ink


def may_have_text(picture: Image.Image) -> bool:
    """Whether a gray picture has strokes on a calm ground, unlike photographs, gradients and plain areas."""
    factor = int((picture.width * picture.height / _PIXELS) ** 0.5)
    if factor > 1:
        picture = picture.reduce(factor)
    ground = picture.filter(ImageFilter.BoxBlur(12))
    levels = ImageChops.difference(picture, ground).histogram()
    total = sum(levels)
    calm, ink = sum(levels[:_CALM]) / total, sum(levels[_INK:]) / total
    return calm >= _CALM_SHARE and _INK_SHARE[0] <= ink <= _INK_SHARE[1]
