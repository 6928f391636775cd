"""Decodes image files to gray pixels.

The only module that uses Pillow, and only for the six formats of the contract: some others run external programs (EPS)
or have parsers that are not needed. Runs in worker processes only.
"""

from __future__ import annotations

from typing import BinaryIO

from PIL import (  # plugins by name: with a list of formats, `Image.open` preloads only some
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from .errors import TooLarge, blame_document
from .raster import MAX_SIDE, Raster, check_pixels, shrink

Image.MAX_IMAGE_PIXELS = None  # replaced by `check_pixels`, which checks the declared size of every frame

_PLUGINS = (
    PngImagePlugin.PngImageFile,
    JpegImagePlugin.JpegImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
)
_FORMATS = [plugin.format for plugin in _PLUGINS]
_PLAUSIBLE_DPI = range(50, 2401)
_PAGE_INCHES = 5  # an image with a shorter long side is a snippet, whose stated resolution is unreliable


class ImageFile:
    """An open image with one frame, or several if it is a multi-page TIFF."""

    def __init__(self, path: str, *, max_pages: int, max_pixels: int) -> None:
        """Open an image without decoding pixels. Raises BadDocument or TooLarge."""
        self._limit = max_pixels
        with blame_document("the image is damaged and cannot be opened"):
            self._image: Image.Image = Image.open(path, formats=_FORMATS)
            check_pixels(*self._image.size, "the image", max_pixels)
            self.pages = self._count(max_pages) if self._image.format == "TIFF" else 1

    def raster(self, index: int, asked: int | None, cap: int) -> Raster:
        """Returns a frame, upright and gray. `asked` is the resolution that the client stated, in dots per inch."""
        with blame_document("the image is damaged: its pixels cannot be decoded"):
            self._image.seek(index)
            check_pixels(*self._image.size, f"frame {index + 1} of the image", self._limit)
            dpi = asked or self._stated_dpi()
            gray = ImageOps.exif_transpose(to_gray(self._image))
        if max(gray.size) > MAX_SIDE:
            gray.thumbnail((MAX_SIDE, MAX_SIDE))
        scanned = dpi and max(gray.size) / dpi >= _PAGE_INCHES
        return shrink(gray, dpi, cap) if scanned else Raster(gray, dpi)

    def close(self) -> None:
        self._image.close()

    def _count(self, limit: int) -> int:
        """Count the frames of a TIFF up to the limit: a file can chain frames endlessly."""
        count = 1
        while True:
            try:
                self._image.seek(count)
            except EOFError:
                break
            count += 1
            if count > limit:
                raise TooLarge(f"the image has more than {limit:,} frames, the limit", "data")
        self._image.seek(0)
        return count

    def _stated_dpi(self) -> int:
        try:
            stated = round(float(self._image.info.get("dpi", (0, 0))[0]))
        except (TypeError, ValueError, OverflowError, ZeroDivisionError, IndexError):
            return 0
        return stated if stated in _PLAUSIBLE_DPI else 0


def to_gray(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit gray, with a white background where it is transparent."""
    if image.mode in ("L", "1"):
        gray = image.convert("L")
    elif image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        gray = Image.alpha_composite(paper, layer).convert("L")
    elif image.mode.startswith("I"):  # 16 bits per sample: Pillow's own conversion clips instead of scaling
        gray = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode == "F":
        low, high = (float(value) for value in image.getextrema()[:2])  # type: ignore[arg-type]  # one band
        gray = image.point(lambda value: value * (255 / ((high - low) or 1)) - low).convert("L")
    else:
        gray = image.convert("RGB").convert("L")
    orientation = image.getexif().get(0x0112)  # conversions drop it
    if orientation:
        gray.getexif()[0x0112] = orientation
    return gray


def decode_jpeg(file: BinaryIO, size: tuple[int, int], native: float, dpi: int) -> Raster | None:
    """Decode the JPEG of a scanned page from `native` dots per inch directly to gray at `dpi`.

    The decoder itself can output gray and scale to an eighth, a quarter or a half. Returns None if the JPEG's header
    contradicts `size`, or if its colours are CMYK.
    """
    with Image.open(file, formats=["JPEG"]) as image:
        if image.size != size or image.mode not in ("L", "RGB"):
            return None
        image.draft("L", (round(size[0] * dpi / native), round(size[1] * dpi / native)))
        return shrink(image.convert("L"), native * image.width / size[0], dpi)


def from_bytes(pixels: bytes, width: int, height: int, stride: int) -> Image.Image:
    """Returns an image over 8-bit gray pixels, with rows `stride` bytes apart, without copying them."""
    return Image.frombuffer("L", (width, height), pixels, "raw", "L", stride, 1)
