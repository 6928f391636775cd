"""Decodes image files to gray pixels at the resolution for OCR. Runs in worker processes only."""

from __future__ import annotations

from contextlib import ExitStack
from typing import BinaryIO

from PIL import Image

from ..kit.pictures import check_pixels, open_picture, stated_dpi, to_gray, upright
from .errors import TooLarge, blame_document
from .page.raster import FINER, MAX_SIDE, Raster, shrink

_PAGE_INCHES = 5  # an image with a shorter long side is a snippet, whose stated resolution is unreliable


class ImageFile:
    """An open image with one frame, or several if it is a multi-page TIFF."""

    def __init__(self, path: str, *, max_pages: int, max_pixels: int) -> None:
        """Open an image without decoding pixels. Raises BadDocument or TooLarge."""
        self._limit = max_pixels
        with ExitStack() as opened:
            self._image = open_picture(opened.enter_context(open(path, "rb")), max_pixels)
            with blame_document("the image is damaged and cannot be opened"):
                self.pages = self._count(max_pages) if self._image.format == "TIFF" else 1
            self._opened = opened.pop_all()

    def frame(self, index: int) -> Image.Image:
        """Returns a frame as it is stored. Raises BadDocument or TooLarge."""
        with blame_document("the image is damaged: its pixels cannot be decoded"):
            self._image.seek(index)
        check_pixels(*self._image.size, f"frame {index + 1} of the image", self._limit)
        return self._image

    def dpi(self, index: int, asked: int | None) -> int:
        """Returns the resolution of a frame in dots per inch, 0 if neither the client nor the file states it."""
        frame = self.frame(index)
        with blame_document("the image is damaged and cannot be opened"):
            return asked or stated_dpi(frame)

    def raster(self, index: int, asked: int | None, cap: int) -> Raster:
        """Returns a frame, upright and gray. `asked` is the resolution that the client stated, in dots per inch."""
        dpi, frame = self.dpi(index, asked), self.frame(index)
        with blame_document("the image is damaged: its pixels cannot be decoded"):
            gray = upright(to_gray(frame))
        longest = max(gray.size)
        if longest > MAX_SIDE:
            gray.thumbnail((MAX_SIDE, MAX_SIDE))
            dpi = round(dpi * MAX_SIDE / longest)
        scanned = dpi and max(gray.size) / dpi >= _PAGE_INCHES
        return shrink(gray, dpi, cap, exact=asked is not None) if scanned else Raster(gray, dpi)

    def close(self) -> None:
        self._image.close()
        self._opened.close()

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


def decode_jpeg(file: BinaryIO, size: tuple[int, int], native: float, dpi: int, *, exact: bool) -> Raster | None:
    """Decode the JPEG of a scanned page from `native` dots per inch directly to gray at `dpi`.

    The decoder itself can output gray and scale to an eighth, a quarter or a half. Small letters get a higher
    resolution unless it is `exact`. Returns None if the JPEG's header contradicts `size`, or if its colours are CMYK.
    """
    with Image.open(file, formats=["JPEG"]) as image:
        if image.size != size or image.mode not in ("L", "RGB"):
            return None
        wanted = dpi if exact else dpi * FINER
        image.draft("L", (round(size[0] * wanted / native), round(size[1] * wanted / native)))
        return shrink(image.convert("L"), native * image.width / size[0], dpi, exact=exact)


def from_bytes(pixels: bytes, width: int, height: int, stride: int) -> Image.Image:
    """Returns an image over 8-bit gray pixels, with rows `stride` bytes apart, without copying them."""
    return Image.frombuffer("L", (width, height), pixels, "raw", "L", stride, 1)
