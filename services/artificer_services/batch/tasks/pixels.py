"""Gray pixels of a page: decoded, straightened, cleaned, made black and white.

Owns everything that Pillow and OpenCV do here. Knows no task; runs in worker processes only.
"""

from __future__ import annotations

import io
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (  # the plugins by name: with a list of formats, `Image.open` loads none but its two favourites
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

cv2.setNumThreads(1)  # every processor has a worker of its own already
Image.MAX_IMAGE_PIXELS = None  # the limit is `decode`'s, on what the header declares

_PLUGINS = (
    PngImagePlugin.PngImageFile,
    JpegImagePlugin.JpegImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
)
_FORMATS = [plugin.format for plugin in _PLUGINS]

_LOOK_SIDE = 1000  # pixels of the longer side of the picture that the angle is sought in; lines of print still show
_COARSE, _FINE = 1.0, 0.05  # degrees
_STRAIGHT = 0.05  # degrees: half a millimetre over a page, and turning blurs
_SURE = 1.02  # how much better than upright an angle has to be: a photograph's are all alike


def decode(data: bytes, max_pixels: int) -> tuple[Page, float]:
    """The gray pixels of a picture, upright, and its stated dots per inch, 0 where there are none. Raises Rejected."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise Rejected(f"the image has {width * height:,} pixels; at most {max_pixels:,} are accepted")
            if getattr(image, "is_animated", False):
                raise Rejected("the image has several frames: send each as an item of its own")
            gray = ImageOps.exif_transpose(_gray(image))
            return np.asarray(gray, dtype=np.uint8), _resolution(image)
    except (Rejected, MemoryError):
        raise
    except Exception as error:  # parsers raise anything over a hostile file
        kind = "is none of PNG, JPEG, TIFF, WebP, BMP and GIF" if _unknown(error) else "is broken"
        raise Rejected(f"the image cannot be read: it {kind}") from error


def encode(page: Page, resolution: float) -> bytes:
    """A page as a PNG that says its resolution."""
    file = io.BytesIO()
    dpi = {"dpi": (resolution, resolution)} if resolution else {}
    Image.fromarray(page).save(file, "PNG", **dpi)
    return file.getvalue()


def skew(page: Page, limit: float) -> float:
    """By how many degrees a page of print has to be turned, counter-clockwise, to stand upright: -limit..limit.

    Where the page is upright the rows that lines of print fill and the rows between them differ most, so the sum of
    the squared differences of neighbouring rows is greatest (the projection profile of Postl, 1986).
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
    """Turn a page by degrees, counter-clockwise, on paper of its own colour; no corner is lost."""
    if not angle:
        return page
    height, width = page.shape
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    size = (math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
    return _bytes(cv2.warpAffine(page, matrix, size, flags=cv2.INTER_CUBIC, borderValue=_paper(page)))


def denoise(page: Page, how: str) -> Page:
    """Take specks out: "median" those of single pixels, "means" a grain all over, which takes far longer."""
    if how == "means":
        return _bytes(cv2.fastNlMeansDenoising(page, None, h=12, templateWindowSize=7, searchWindowSize=15))
    return _bytes(cv2.medianBlur(page, 3))


def binarise(page: Page, how: str) -> Page:
    """Black on white: "otsu" by one threshold for the page, "adaptive" by the surroundings, where light is uneven."""
    if how == "adaptive":
        block = max(15, min(page.shape) // 40) | 1  # a few letters wide, and odd
        return _bytes(cv2.adaptiveThreshold(page, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, block, 15))
    return _bytes(cv2.threshold(page, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


def _ink(page: Page, side: int) -> Page:
    """A picture of a page of at most `side` pixels, in which ink is 255 and paper 0."""
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
    # The smallest of equals: an empty page stays as it is.
    return max(sorted(angles, key=abs), key=lambda angle: _contrast(ink, angle))


def _contrast(ink: Page, angle: float) -> float:
    """How much the rows of a page differ from their neighbours once it is turned by degrees, counter-clockwise."""
    height, width = ink.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    rows = cv2.reduce(cv2.warpAffine(ink, matrix, (width, height)), 1, cv2.REDUCE_SUM, dtype=cv2.CV_64F)
    return float(np.square(np.diff(rows, axis=0)).sum())


def _paper(page: Page) -> int:
    """The colour at the edges, which is what is behind the print."""
    return int(np.median(np.concatenate((page[0], page[-1], page[:, 0], page[:, -1]))))


def _gray(image: Image.Image) -> Image.Image:
    """A picture of any mode as 8-bit gray, on white paper where it is transparent."""
    if image.mode in ("L", "1"):
        gray = image.convert("L")
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        gray = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("L")
    elif image.mode.startswith("I"):  # 16 bits a sample: Pillow's own conversion clips instead of scaling
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
