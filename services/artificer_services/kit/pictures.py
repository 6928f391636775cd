"""Opens the pictures that clients send: a fixed list of formats, a limit of pixels, upright, and gray on request.

Pillow's other formats are left out: some run external programs (EPS), and few people need the rest. Runs in worker
processes only.
"""

from __future__ import annotations

import math
from typing import BinaryIO

from PIL import (  # plugins by name: with a list of formats, `Image.open` preloads only some
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    ImageStat,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from .workers.errors import BadDocument, TooLarge, blame_document

Image.MAX_IMAGE_PIXELS = None  # replaced by `check_pixels`, which checks the declared size of every frame
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # there is a worker per processor already

_PLUGINS = (
    PngImagePlugin.PngImageFile,
    JpegImagePlugin.JpegImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    Jpeg2KImagePlugin.Jpeg2KImageFile,
    PpmImagePlugin.PpmImageFile,
    AvifImagePlugin.AvifImageFile,
)
_FORMATS = [str(plugin.format) for plugin in _PLUGINS]
_HEIC = "HEIF"  # Pillow's name of the format, whose plugin is loaded with the first such file
_ISO = b"ftyp"  # ISO/IEC 14496-12: the first box of the files of AVIF and HEIC

_EXPECTED = "a PNG, JPEG, TIFF, WebP, BMP, GIF, JPEG 2000, PNM, AVIF or HEIC image"

ORIENTATION = 0x0112
"""The EXIF tag of the orientation."""

_PLAUSIBLE_DPI = range(50, 2401)
_LIGHT = 160  # of 255; opaque pixels that are lighter on average would be lost on white


def open_picture(file: BinaryIO, max_pixels: int) -> Image.Image:
    """Returns an image whose pixels are not yet decoded, at its first frame. Raises BadDocument or TooLarge.

    Check each further frame with `check_pixels`. Takes no path: of an uncompressed TIFF file that Pillow 13.0 opens by
    its path, it maps the pixels, and exchanges their sides if the orientation is a quarter turn.
    """
    with blame_document("the image is damaged and cannot be opened"):
        try:
            image = Image.open(file, formats=_formats(file))
        except UnidentifiedImageError:  # also if only the header is damaged
            raise BadDocument(f"the file is not {_EXPECTED}, or is damaged at its beginning", "data") from None
        check_pixels(*image.size, "the image", max_pixels)
        return image


def check_pixels(width: int, height: int, what: str, limit: int) -> None:
    """Raise TooLarge if a picture has more than `limit` pixels."""
    if width * height > limit:
        raise TooLarge(f"{what} has {width:,} by {height:,} pixels; at most {limit:,} in total are accepted", "data")


def upright(image: Image.Image) -> Image.Image:
    """Returns a decoded image turned as its EXIF data says, without that entry."""
    exif_of(image)  # Pillow complains of damaged data only once
    return ImageOps.exif_transpose(image)


def exif_of(image: Image.Image) -> Image.Exif:
    """Returns the EXIF data, empty if it is damaged: viewers show such pictures too. Decodes a PNG."""
    try:
        return image.getexif()
    except Exception:  # a damaged file can make the parser raise any
        return Image.Exif()


def to_gray(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit gray; `upright` can still be called on the result.

    Transparent areas become opaque as by `opaque`.
    """
    if image.mode in ("L", "1"):
        gray = image.convert("L")
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        gray = opaque(image).convert("L")
    elif image.mode.startswith("I"):  # 16 bits per sample: Pillow's own conversion clips instead of scaling
        gray = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode == "F":
        gray = _from_floats(image)
    else:
        gray = image.convert("RGB").convert("L")
    orientation = exif_of(image).get(ORIENTATION)  # conversions drop it
    if orientation:
        gray.getexif()[ORIENTATION] = orientation
    return gray


def opaque(image: Image.Image) -> Image.Image:
    """Returns a transparent image on white, or on black if its pixels are light and would be lost on white."""
    layer = image.convert("RGBA")
    solid = layer.getchannel("A").point(lambda value: 255 if value > 127 else 0)
    pixels = ImageStat.Stat(layer.convert("L"), mask=solid)
    # Where opaque pixels are most of the image, they are a page with its own paper.
    writing = 0 < pixels.count[0] < layer.width * layer.height / 2
    ground = "black" if writing and pixels.mean[0] > _LIGHT else "white"
    return Image.alpha_composite(Image.new("RGBA", layer.size, ground), layer).convert("RGB")


def stated_dpi(image: Image.Image) -> int:
    """Returns the dots per inch that an image file states, or 0 if the file states none or an implausible one."""
    try:
        stated = round(float(image.info.get("dpi", (0, 0))[0]))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, IndexError):
        return 0
    return stated if stated in _PLAUSIBLE_DPI else 0


def _formats(file: BinaryIO) -> list[str]:
    head = file.read(12)
    file.seek(0)
    if head[4:8] != _ISO or head[8:12] in (b"avif", b"avis"):
        return _FORMATS
    from pi_heif import register_heif_opener  # type: ignore[import-untyped]  # no py.typed

    register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
    return [*_FORMATS, _HEIC]


def _from_floats(image: Image.Image) -> Image.Image:
    low, high = (float(value) for value in image.getextrema()[:2])  # type: ignore[arg-type]  # one band
    if not math.isfinite(low) or not math.isfinite(high):
        return Image.new("L", image.size, "white")
    scale = 255 / ((high - low) or 1)
    return image.point(lambda value: value * scale + -low * scale).convert("L")
