"""Makes a PDF document of an image file, a page for each frame, without a loss of quality.

A JPEG or JPEG 2000 file becomes a picture of the document as it is; pixels of other formats are compressed anew. Runs
in worker processes only.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, Stream
from PIL import Image

from ...kit.pictures import ORIENTATION, exif_of, opaque, to_gray, upright
from ..errors import blame_document
from ..images import ImageFile
from ..page.raster import POINTS

Size = tuple[float, float]

_MOST_POINTS = 14_400  # the longest side that readers support (ISO 32000-2, annex C.2)
_SPACES = {"1": Name.DeviceGray, "L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}
_COMPONENTS = {"1": 1, "L": 1, "RGB": 3, "CMYK": 4}
_PROFILES = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}  # the colour spaces of ICC profiles (ICC.1:2022, 7.2.6)
_MOST_PROFILE = 4 * 1024 * 1024
# How a stored picture fills a page of one by one, by its Exif orientation.
_PLACES = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}


def from_image(path: Path, image: ImageFile, sizes: Mapping[int, Size], dpi: int | None) -> Pdf:
    """Returns a document of an open image, whose pages have the sizes given in points where these are known.

    The size of other pages follows from `dpi`, or from the resolution that the file states if it is None. Raises
    BadDocument or TooLarge.
    """
    pdf = Pdf.new()
    for index in range(image.pages):
        frame, resolution = image.frame(index), image.dpi(index, dpi)
        with blame_document("the image is damaged: its pixels cannot be decoded"):
            whole = _encoded(pdf, path, frame) if image.pages == 1 else None
            picture, orientation = whole or (_pixels(pdf, upright(frame)), 1)
            _add_page(pdf, picture, orientation, sizes.get(index) or _size(picture, orientation, resolution))
    return pdf


def _add_page(pdf: Pdf, picture: Stream, orientation: int, size: Size) -> None:
    width, height = _fitting(size)
    a, b, c, d, e, f = _PLACES[orientation]
    place = (a * width, b * height, c * width, d * height, e * width, f * height)
    content = f"q {' '.join(f'{value:.4f}' for value in place)} cm /Image Do Q\n"
    page = Dictionary(
        Type=Name.Page,
        MediaBox=[0, 0, round(width, 4), round(height, 4)],
        Resources=Dictionary(XObject=Dictionary(Image=pdf.make_indirect(picture))),
        Contents=pdf.make_indirect(Stream(pdf, content.encode())),
    )
    pdf.pages.append(Page(pdf.make_indirect(page)))


def _size(picture: Stream, orientation: int, dpi: int) -> Size:
    """Returns the size of a picture in points; a pixel is a point if the resolution is unknown."""
    scale = POINTS / dpi if dpi else 1.0
    size = float(picture.Width) * scale, float(picture.Height) * scale
    return size if orientation < 5 else size[::-1]


def _fitting(size: Size) -> Size:
    """Returns a size that readers support; text is placed by shares of the page."""
    scale = min(1.0, _MOST_POINTS / max(size))
    return size[0] * scale, size[1] * scale


def _encoded(pdf: Pdf, path: Path, image: Image.Image) -> tuple[Stream, int] | None:
    """Returns a file that PDF readers decode themselves, and its orientation; None for all others."""
    if image.format == "JPEG" and image.mode in ("L", "RGB", "CMYK"):
        filtered = Name.DCTDecode
    elif image.format == "JPEG2000" and image.mode in ("L", "RGB") and path.read_bytes()[4:8] == b"jP  ":
        filtered = Name.JPXDecode  # not a bare codestream, which is no file of the standard that PDF refers to
    else:
        return None
    picture = Stream(pdf, path.read_bytes(), Filter=filtered, **_about(pdf, image))
    if image.mode == "CMYK" and "adobe" in image.info:
        picture.Decode = Array([1, 0] * 4)  # Adobe's programs store such files inverted
    orientation = exif_of(image).get(ORIENTATION, 1)
    return picture, orientation if orientation in _PLACES else 1


def _pixels(pdf: Pdf, image: Image.Image) -> Stream:
    """Returns a picture of pixels: compressed as a PNG file is, since PDF has the same predictors."""
    profile = image.info.get("icc_profile")
    plain = _plain(image)
    if plain.mode == "CMYK":
        return Stream(pdf, plain.tobytes(), **_about(pdf, plain))
    file = io.BytesIO()
    plain.save(file, "PNG")
    bits = 1 if plain.mode == "1" else 8
    parameters = Dictionary(Predictor=15, Colors=_COMPONENTS[plain.mode], BitsPerComponent=bits, Columns=plain.width)
    plain.info["icc_profile"] = profile
    about = _about(pdf, plain) | {"BitsPerComponent": bits}
    data = b"".join(_compressed(file.getvalue()))
    return Stream(pdf, data, Filter=Name.FlateDecode, DecodeParms=parameters, **about)


def _plain(image: Image.Image) -> Image.Image:
    """Returns an image in a mode that PDF has, without transparency."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return opaque(image)
    if image.mode in _SPACES:
        return image
    if image.mode == "F" or image.mode.startswith("I"):  # more bits a sample than readers show
        return to_gray(image)
    return image.convert("RGB")


def _about(pdf: Pdf, image: Image.Image) -> dict[str, Object | int]:
    return {
        "Type": Name.XObject,
        "Subtype": Name.Image,
        "Width": image.width,
        "Height": image.height,
        "BitsPerComponent": 8,
        "ColorSpace": _space(pdf, image),
    }


def _space(pdf: Pdf, image: Image.Image) -> Object:
    """Returns the colour space of an image: that of its ICC profile if this fits."""
    device: Object = _SPACES[image.mode]
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 128 < len(profile) < _MOST_PROFILE:
        return device
    if _PROFILES.get(profile[16:20]) != _COMPONENTS[image.mode]:
        return device
    stream = Stream(pdf, profile, N=_COMPONENTS[image.mode], Alternate=device)
    return Array([Name.ICCBased, pdf.make_indirect(stream)])


def _compressed(png: bytes) -> Iterator[bytes]:
    """Yields the compressed pixels of a PNG file."""
    place = 8
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IDAT":
            yield png[place + 8 : place + 8 + length]
        place += length + 12
