"""Image processing for pages: decode, deskew, denoise, binarise, encode.

The only user of Pillow and OpenCV here. Knows no task; runs in worker processes only.
"""

from __future__ import annotations

import io
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (  # plugins by name: with a list of formats, `Image.open` loads only two by itself
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from .api import Rejected

Page = NDArray[np.uint8]

cv2.setNumThreads(1)  # there is a worker per processor already
Image.MAX_IMAGE_PIXELS = None  # `decode` checks the size that the header declares

_PLUGINS = (
    PngImagePlugin.PngImageFile,
    JpegImagePlugin.JpegImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
)
_FORMATS = [plugin.format for plugin in _PLUGINS]

_LOOK_SIDE = 1000  # pixels of the longer side when the angle is estimated; lines of print are still visible
_COARSE, _FINE = 1.0, 0.05  # degrees
_STRAIGHT = 0.05  # degrees: half a millimetre over a page, less harmful than the blur of a rotation
_SURE = 1.02  # an angle's contrast over that of 0 degrees; for photographs all are alike


def decode(data: bytes, max_pixels: int) -> tuple[Page, float]:
    """Returns the gray pixels of an image, upright, and its dots per inch, 0 if not stated. Raises Rejected."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise Rejected(f"the image has {width * height:,} pixels; at most {max_pixels:,} are allowed")
            if getattr(image, "is_animated", False):
                raise Rejected("the image has several frames; send each as a separate item")
            gray = ImageOps.exif_transpose(_gray(image))
            return np.asarray(gray, dtype=np.uint8), _resolution(image)
    except (Rejected, MemoryError):
        raise
    except Exception as error:  # parsers raise any type for a hostile file
        kind = "expected PNG, JPEG, TIFF, WebP, BMP or GIF" if _unknown(error) else "it is corrupt"
        raise Rejected(f"cannot read the image; {kind}") from error


def encode(page: Page, resolution: float) -> bytes:
    """Returns a page as a PNG with its resolution."""
    file = io.BytesIO()
    dpi = {"dpi": (resolution, resolution)} if resolution else {}
    Image.fromarray(page).save(file, "PNG", **dpi)
    return file.getvalue()


def skew(page: Page, limit: float) -> float:
    """Returns the degrees, -limit..limit, by which to rotate a page of print counter-clockwise to make it upright.

    On an upright page the rows of print and the rows between them differ most, so the sum of the squared differences
    of neighbouring rows is greatest (the projection profile of Postl, 1986).
    """
    ink = _ink(page, _LOOK_SIDE)
    if not ink.any():
        return 0.0
    best = _best(_ink(page, _LOOK_SIDE // 2), _span(0.0, limit, _COARSE))
    best = _best(ink, _span(best, _COARSE, _COARSE / 5))
    best = _best(ink, _span(best, _COARSE / 5, _FINE))
    if abs(best) < _STRAIGHT or _contrast(ink, best) < _SURE * _contrast(ink, 0.0):
        return 0.0
    return float(np.clip(best, -limit, limit))


def turn(page: Page, angle: float) -> Page:
    """Rotate a page by degrees, counter-clockwise, without losing a corner; new areas get the paper's colour."""
    if not angle:
        return page
    height, width = page.shape
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    size = (math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
    return _bytes(cv2.warpAffine(page, matrix, size, flags=cv2.INTER_CUBIC, borderValue=_paper(page)))


def denoise(page: Page, how: str) -> Page:
    """Remove noise: "median" single pixels, "means" grain (non-local means, far slower)."""
    if how == "means":
        return _bytes(cv2.fastNlMeansDenoising(page, None, h=12, templateWindowSize=7, searchWindowSize=15))
    return _bytes(cv2.medianBlur(page, 3))


def binarise(page: Page, how: str) -> Page:
    """Make a page black and white: "otsu" by one threshold, "adaptive" by local ones, for uneven light."""
    if how == "adaptive":
        block = max(15, min(page.shape) // 40) | 1  # a few letters wide, and odd
        return _bytes(cv2.adaptiveThreshold(page, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, block, 15))
    return _bytes(cv2.threshold(page, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


def _ink(page: Page, side: int) -> Page:
    """Returns a page scaled to at most `side` pixels, with ink 255 and paper 0."""
    scale = side / max(page.shape)
    if scale < 1:
        size = (max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale)))
        page = _bytes(cv2.resize(page, size, interpolation=cv2.INTER_AREA))
    ink = _bytes(cv2.threshold(page, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1])
    return _bytes(255 - ink) if ink.mean() > 127 else ink  # white on black


def _span(middle: float, reach: float, step: float) -> list[float]:
    count = math.ceil(reach / step)
    return [middle + step * number for number in range(-count, count + 1)]


def _best(ink: Page, angles: list[float]) -> float:
    # The smallest of equals, so that an empty page is not rotated.
    return max(sorted(angles, key=abs), key=lambda angle: _contrast(ink, angle))


def _contrast(ink: Page, angle: float) -> float:
    """Returns how much neighbouring rows differ after a counter-clockwise rotation."""
    height, width = ink.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    rows = cv2.reduce(cv2.warpAffine(ink, matrix, (width, height)), 1, cv2.REDUCE_SUM, dtype=cv2.CV_64F)
    return float(np.square(np.diff(rows, axis=0)).sum())


def _paper(page: Page) -> int:
    """Returns the median colour of the edges, taken as the paper's."""
    return int(np.median(np.concatenate((page[0], page[-1], page[:, 0], page[:, -1]))))


def _gray(image: Image.Image) -> Image.Image:
    """Returns an image of any mode as 8-bit gray, with white behind transparency."""
    if image.mode in ("L", "1"):
        gray = image.convert("L")
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        gray = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("L")
    elif image.mode.startswith("I"):  # 16 bits per sample: Pillow's conversion clips instead of scaling
        gray = Image.fromarray((np.clip(np.asarray(image, dtype=np.int64), 0, 65535) >> 8).astype(np.uint8))
    elif image.mode == "F":
        samples = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = float(samples.min()), float(samples.max())
        gray = Image.fromarray(((samples - low) * (255 / ((high - low) or 1))).astype(np.uint8))
    else:
        gray = image.convert("RGB").convert("L")
    orientation = image.getexif().get(0x0112)  # conversions drop it
    if orientation:
        gray.getexif()[0x0112] = orientation
    return gray


def _resolution(image: Image.Image) -> float:
    try:
        stated = float(image.info.get("dpi", (0, 0))[0])
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, IndexError):
        return 0.0
    return stated if 1 <= stated <= 10_000 else 0.0


def _unknown(error: Exception) -> bool:
    return type(error).__name__ == "UnidentifiedImageError"


def _bytes(array: Any) -> Page:
    return np.asarray(array, dtype=np.uint8)
