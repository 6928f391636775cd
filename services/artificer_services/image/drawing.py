"""Runs steps on the pixels of one frame. The only module here that changes pixels; runs in worker processes only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from PIL import Image

from ..kit.pictures import check_pixels, to_gray
from ..kit.workers.errors import BadChoice, Unexpected
from .steps import Binarise, Crop, Denoise, Deskew, Grayscale, Resize, Rotate, Step, Thumbnail

if TYPE_CHECKING:
    from ..kit.pixels import Page

_QUARTERS = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}
_REDUCING_GAP = 2.0  # a box filter first, down to twice the size: three times as fast, and no visible difference


def plain(image: Image.Image) -> Image.Image:
    """Returns an image of 8 bits for each channel: gray, RGB or RGBA."""
    if image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode in ("1", "F") or image.mode.startswith("I"):
        return to_gray(image)
    return image.convert("RGB")


def run(image: Image.Image, steps: tuple[Step, ...], background: str, max_pixels: int) -> Image.Image:
    """Returns the image after all steps. Raises BadChoice, TooLarge."""
    for step in steps:
        image = _run(image, step, background, max_pixels)
    return image


def scale_of(size: tuple[int, int], step: Step) -> tuple[int, int] | None:
    """Returns the size at which an image is large enough for its first step, if that is a change of size."""
    if isinstance(step, Thumbnail):
        step = step.resize
    return _target(size, step)[0] if isinstance(step, Resize) else None


def flattened(image: Image.Image, background: str) -> Image.Image:
    """Returns an image without transparency."""
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")


def _run(image: Image.Image, step: Step, background: str, max_pixels: int) -> Image.Image:
    if isinstance(step, Thumbnail):
        step = step.resize
    if isinstance(step, Resize):
        return _resized(image, step, max_pixels)
    if isinstance(step, Crop):
        return _cropped(image, step)
    if isinstance(step, Rotate):
        return _rotated(image, step.degrees, background, max_pixels)
    if isinstance(step, Grayscale):
        return _gray(image)
    return _scan(image, step, background, max_pixels)


def _target(size: tuple[int, int], step: Resize) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the size to scale to, and the size to cut to then."""
    width, height = size
    asked = (step.width or width, step.height or height)
    if step.fit == "fill":
        wanted = asked if step.enlarge else (min(asked[0], width), min(asked[1], height))
        return wanted, wanted
    ratios = [side / own for side, own in ((step.width, width), (step.height, height)) if side]
    ratio = max(ratios) if step.fit == "cover" else min(ratios)
    if not step.enlarge:
        ratio = min(ratio, 1.0)
    scaled = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    if step.fit != "cover":
        return scaled, scaled
    return scaled, (min(step.width, scaled[0]), min(step.height, scaled[1]))


def _resized(image: Image.Image, step: Resize, max_pixels: int) -> Image.Image:
    scaled, cut = _target(image.size, step)
    check_pixels(*scaled, "the result", max_pixels)
    if scaled != image.size:
        image = image.resize(scaled, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    if cut == scaled:
        return image
    left, top = (scaled[0] - cut[0]) // 2, (scaled[1] - cut[1]) // 2
    return image.crop((left, top, left + cut[0], top + cut[1]))


def _cropped(image: Image.Image, step: Crop) -> Image.Image:
    right, bottom = step.left + step.width, step.top + step.height
    if right > image.width or bottom > image.height:
        raise BadChoice(
            f"the rectangle ends at {right:,}, {bottom:,}; the image has {image.width:,} by {image.height:,} pixels",
            "steps",
        )
    return image.crop((step.left, step.top, right, bottom))


def _rotated(image: Image.Image, degrees: float, background: str, max_pixels: int) -> Image.Image:
    turns, rest = divmod(degrees % 360, 90)
    if not rest:
        quarter = _QUARTERS.get(int(turns) % 4)
        return image if quarter is None else image.transpose(quarter)
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    width, height = image.width * cosine + image.height * sine, image.width * sine + image.height * cosine
    check_pixels(math.ceil(width), math.ceil(height), "the result", max_pixels)
    fill = (0, 0, 0, 0) if image.mode == "RGBA" else Image.new(image.mode, (1, 1), background).getpixel((0, 0))
    return image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=cast("int | tuple[int, ...]", fill))


def _gray(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("L")
    alpha = image.getchannel("A")
    gray = Image.merge("LA", (image.convert("RGB").convert("L"), alpha))
    return gray.convert("RGBA")


def _scan(image: Image.Image, step: Step, background: str, max_pixels: int) -> Image.Image:
    """Run a step for scans, on arrays."""
    import numpy as np

    from ..kit import pixels

    image = flattened(image, background)
    page = cast("Page", np.asarray(image.convert("L"), dtype=np.uint8))
    if isinstance(step, Binarise):
        return Image.fromarray(pixels.binarise(page, step.method))
    if isinstance(step, Denoise):
        bands = [pixels.denoise(np.asarray(band), step.method) for band in image.split()]
        return Image.merge(image.mode, [Image.fromarray(band) for band in bands])
    if isinstance(step, Deskew):
        angle = pixels.skew(page, step.max_angle)
        paper = "#" + f"{pixels.paper(page):02x}" * 3
        return _rotated(image, -angle, paper, max_pixels) if angle else image
    raise Unexpected(f"unknown step {step!r}")
