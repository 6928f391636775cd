"""The task of a worker process: decode an image, run the steps, encode the result.

Knows files, Pillow and plain values, but neither sockets nor processes.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image, ImageCms

from ..kit.pictures import ORIENTATION, check_pixels, exif_of, open_picture, stated_dpi, upright
from ..kit.workers.errors import BadChoice, TooLarge, blame_document
from ..kit.workers.wire import Frame
from . import drawing
from .steps import FORMATS, LOSSY, MEDIA_TYPES, SIZED, Order, unpack

_SIDEWAYS = 5  # and greater: the sides are exchanged
_ANIMATED = frozenset({"GIF", "WEBP", "TIFF", "AVIF"})  # formats with room for several frames
_QUALITIES = {"JPEG": 80, "WEBP": 80, "AVIF": 60}
_SIDES = {"JPEG": 65_500, "WEBP": 16_383, "GIF": 65_535, "AVIF": 65_536}  # of the formats; of JPEG, libjpeg's
_MAX_LOOPS = 65_535  # of GIF and WebP
_MAX_DURATIONS = {"GIF": 655_350, "WEBP": 2**24 - 1, "AVIF": 2**31 - 1}  # milliseconds of a frame
_WITH_DPI = frozenset({"PNG", "JPEG", "TIFF"})
_PNG_LEVEL = 3  # of zlib: half the time of 6, and 3 % more bytes for a photograph
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
# What clients may call the formats; another media type of a picture contradicts the bytes.
_TYPES = {"JPEG": ("image/jpeg", "image/jpg", "image/pjpeg"), "PPM": ("image/x-portable-anymap",)}


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """The limits that only a decoder can check."""

    pixels: int
    frames: int
    output_bytes: int


class ImageTasks:
    """The tasks of one worker. Keeps nothing between them."""

    greeting: dict[str, str] = {}  # noqa: RUF012 -- never changed; of the Protocol

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits

    def do(self, task: Frame, document: int, output: int | None) -> dict[str, Any]:
        """See `Tasks`."""
        assert output is not None  # noqa: S101 -- the engine sends one with every task
        with (
            open(os.dup(document), "rb") as file,
            open(os.dup(output), "wb") as out,
        ):
            file.seek(0)
            made = process(file, task["content_type"], unpack(task["order"]), self._limits)
            out.write(made.data)
        return {"format": made.format, "width": made.width, "height": made.height, "frames": made.frames}

    def forget(self, document: int) -> None:
        """See `Tasks`."""


@dataclass(frozen=True, slots=True)
class Made:
    """A result, as a file."""

    data: bytes
    format: str
    width: int
    height: int
    frames: int


def process(file: BinaryIO, content_type: str, order: Order, limits: ImageLimits) -> Made:
    """Returns the image in `file` after all steps. Raises WorkError."""
    image = open_picture(file, limits.pixels)
    with image:
        _check_type(image, content_type)
        form = order.format or (str(image.format) if image.format in FORMATS else "PNG")
        if order.quality and form not in LOSSY:
            raise BadChoice(f"{form} has no quality: it is always lossless", "quality")
        if order.lossless and form != "WEBP":
            raise BadChoice(f"only WebP files are lossless on request, not {form}", "lossless")
        with blame_document("the image is damaged: its metadata cannot be read"):
            kept = _metadata(image) if order.keep_metadata else {}
        if (dpi := stated_dpi(image)) and form in _WITH_DPI and not any(isinstance(one, SIZED) for one in order.steps):
            kept["dpi"] = (dpi, dpi)
        frames, durations = [], []
        for number in range(_count(image, form, limits)):
            with blame_document("the image is damaged: its pixels cannot be decoded"):
                image.seek(number)
                check_pixels(*image.size, f"frame {number + 1} of the image", limits.pixels)
                if number == 0:
                    _draft(image, order)
                durations.append(image.info.get("duration", 0))
                image.load()
                frame = drawing.plain(_in_srgb(upright(image), keep=order.keep_metadata))
            frame = drawing.run(frame, order.steps, order.background, limits.pixels)
            check_pixels(frame.width, frame.height * (number + 1), "the result", limits.pixels)
            frame.info.clear()  # which the encoders would write
            frames.append(frame)
        data = _encoded(frames, durations, image.info.get("loop", 0), form, order, kept)
    if len(data) > limits.output_bytes:
        raise TooLarge(f"the result has {len(data):,} bytes; at most {limits.output_bytes:,} are allowed", "data")
    return Made(data, form, frames[0].width, frames[0].height, len(frames))


def _check_type(image: Image.Image, content_type: str) -> None:
    stated = content_type.partition(";")[0].strip().lower()
    if not stated.startswith("image/") or stated == "image/*":
        return
    form = str(image.format)
    known = {Image.MIME.get(form, ""), *_TYPES.get(form, ()), MEDIA_TYPES.get(form, "")}
    every = {*Image.MIME.values(), *(kind for kinds in _TYPES.values() for kind in kinds)}
    if stated not in known and stated in every:
        raise BadChoice(f"the content type is {stated}, but the image is {Image.MIME.get(form, form)}", "content_type")


def _count(image: Image.Image, form: str, limits: ImageLimits) -> int:
    """Returns the number of frames to process. Raises TooLarge, by frames and by their pixels together."""
    if form not in _ANIMATED or image.format not in (*_ANIMATED, "PNG"):
        return 1
    count, pixels = 1, image.width * image.height
    with blame_document("the image is damaged: its frames cannot be read"):
        if image.format != "TIFF":
            count = int(getattr(image, "n_frames", 1))
            pixels *= count
        else:  # counted one by one, since a file can chain pages endlessly
            while count <= limits.frames:
                try:
                    image.seek(count)
                except EOFError:
                    break
                count += 1
                pixels += image.width * image.height
            image.seek(0)
    if count > limits.frames:
        raise TooLarge(f"the image has more than {limits.frames:,} frames, the limit", "data")
    if pixels > limits.pixels:
        raise TooLarge(f"the frames have {pixels:,} pixels together; at most {limits.pixels:,} are accepted", "data")
    return count


def _draft(image: Image.Image, order: Order) -> None:
    """Let the JPEG decoder scale to an eighth, a quarter or a half, if the first step needs no more."""
    if image.format != "JPEG" or image.mode not in ("L", "RGB") or not order.steps:
        return
    turned = exif_of(image).get(ORIENTATION, 1) >= _SIDEWAYS
    size = drawing.scale_of(image.size[::-1] if turned else image.size, order.steps[0])
    if size:
        image.draft(image.mode, size[::-1] if turned else size)


def _in_srgb(image: Image.Image, *, keep: bool) -> Image.Image:
    """Returns an image with its colours in sRGB, by its profile; a profile that cannot be used is ignored."""
    profile = image.info.get("icc_profile")
    if keep or not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, _SRGB, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image


def _metadata(image: Image.Image) -> dict[str, Any]:
    exif = Image.Exif()
    exif.load(exif_of(image).tobytes())  # a copy: the image itself still needs its orientation
    exif.pop(ORIENTATION, None)
    found = {"exif": exif.tobytes() if len(exif) else None, "icc_profile": image.info.get("icc_profile")}
    found["xmp"] = image.info.get("xmp")
    return {name: value for name, value in found.items() if value}


def _encoded(
    frames: list[Image.Image], durations: list[float], loop: int, form: str, order: Order, kept: dict[str, Any]
) -> bytes:
    longest = max(max(frame.size) for frame in frames)
    if longest > _SIDES.get(form, longest):
        raise BadChoice(f"{form} files have at most {_SIDES[form]:,} pixels a side, not {longest:,}", "format")
    if form == "JPEG":
        frames = [drawing.flattened(frame, order.background) for frame in frames]
    out = io.BytesIO()
    options = _options(form, order) | kept
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:]}
        if form != "TIFF":
            options |= {"duration": [min(round(duration), _MAX_DURATIONS[form]) for duration in durations]}
        if form in ("GIF", "WEBP"):
            options["loop"] = min(loop, _MAX_LOOPS)
    with blame_document(f"the result cannot be written as {form}"):  # with metadata of the client's file
        frames[0].save(out, form, **options)
    return out.getvalue()


def _options(form: str, order: Order) -> dict[str, Any]:
    quality = order.quality or _QUALITIES.get(form, 0)
    if form == "PNG":
        return {"compress_level": _PNG_LEVEL}
    if form == "JPEG":
        return {"quality": quality, "optimize": True}
    if form == "WEBP":
        return {"lossless": True} if order.lossless else {"quality": quality, "method": 4}
    if form == "AVIF":
        return {"quality": quality, "max_threads": 1}
    if form == "TIFF":
        return {"compression": "tiff_deflate"}
    if form == "JPEG2000" and quality:
        rate = max(1.0, (101 - quality) / 2)  # how many times smaller than the pixels
        return {"irreversible": True, "quality_mode": "rates", "quality_layers": [rate]}
    return {}
