"""Models of artificer.image.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal, TypeAlias

from . import base

__all__ = [
    "Binarise",
    "BinariseMethod",
    "BinariseMethodName",
    "Crop",
    "Denoise",
    "DenoiseMethod",
    "DenoiseMethodName",
    "Deskew",
    "Grayscale",
    "ImageFormat",
    "ImageFormatName",
    "ImageStep",
    "ProcessImageRequest",
    "Resize",
    "ResizeFit",
    "ResizeFitName",
    "Rotate",
    "Thumbnail",
]


class ResizeFit(base.OpenEnum):
    """What happens to an image whose sides have another ratio than the size that is asked for."""

    UNSPECIFIED = "RESIZE_FIT_UNSPECIFIED"
    """RESIZE_FIT_INSIDE."""
    INSIDE = "RESIZE_FIT_INSIDE"
    """RESIZE_FIT_INSIDE makes the whole image fit into the size."""
    COVER = "RESIZE_FIT_COVER"
    """RESIZE_FIT_COVER fills the size and cuts off what stands over, equally at both ends."""
    FILL = "RESIZE_FIT_FILL"
    """RESIZE_FIT_FILL stretches the image to the size."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {"RESIZE_FIT_UNSPECIFIED": 0, "RESIZE_FIT_INSIDE": 1, "RESIZE_FIT_COVER": 2, "RESIZE_FIT_FILL": 3}


ResizeFitName: TypeAlias = Literal["inside", "cover", "fill"]
"""The names of ResizeFit in arguments of methods."""


class DenoiseMethod(base.OpenEnum):
    """A way to remove noise."""

    UNSPECIFIED = "DENOISE_METHOD_UNSPECIFIED"
    """DENOISE_METHOD_MEDIAN."""
    MEDIAN = "DENOISE_METHOD_MEDIAN"
    """DENOISE_METHOD_MEDIAN removes single pixels."""
    MEANS = "DENOISE_METHOD_MEANS"
    """DENOISE_METHOD_MEANS removes grain by non-local means, which takes a hundred times as long."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {"DENOISE_METHOD_UNSPECIFIED": 0, "DENOISE_METHOD_MEDIAN": 1, "DENOISE_METHOD_MEANS": 2}


DenoiseMethodName: TypeAlias = Literal["median", "means"]
"""The names of DenoiseMethod in arguments of methods."""


class BinariseMethod(base.OpenEnum):
    """A way to make a page black and white."""

    UNSPECIFIED = "BINARISE_METHOD_UNSPECIFIED"
    """BINARISE_METHOD_OTSU."""
    OTSU = "BINARISE_METHOD_OTSU"
    """BINARISE_METHOD_OTSU uses one threshold for the page."""
    ADAPTIVE = "BINARISE_METHOD_ADAPTIVE"
    """BINARISE_METHOD_ADAPTIVE uses local thresholds, for uneven light."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {"BINARISE_METHOD_UNSPECIFIED": 0, "BINARISE_METHOD_OTSU": 1, "BINARISE_METHOD_ADAPTIVE": 2}


BinariseMethodName: TypeAlias = Literal["otsu", "adaptive"]
"""The names of BinariseMethod in arguments of methods."""


class ImageFormat(base.OpenEnum):
    """A format of image files that can be written."""

    UNSPECIFIED = "IMAGE_FORMAT_UNSPECIFIED"
    """The format of the image, or PNG."""
    PNG = "IMAGE_FORMAT_PNG"
    """PNG."""
    JPEG = "IMAGE_FORMAT_JPEG"
    """JPEG."""
    WEBP = "IMAGE_FORMAT_WEBP"
    """WebP."""
    AVIF = "IMAGE_FORMAT_AVIF"
    """AVIF."""
    TIFF = "IMAGE_FORMAT_TIFF"
    """TIFF."""
    GIF = "IMAGE_FORMAT_GIF"
    """GIF, with at most 256 colours."""
    JP2 = "IMAGE_FORMAT_JP2"
    """JPEG 2000."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "IMAGE_FORMAT_UNSPECIFIED": 0,
            "IMAGE_FORMAT_PNG": 1,
            "IMAGE_FORMAT_JPEG": 2,
            "IMAGE_FORMAT_WEBP": 3,
            "IMAGE_FORMAT_AVIF": 4,
            "IMAGE_FORMAT_TIFF": 5,
            "IMAGE_FORMAT_GIF": 6,
            "IMAGE_FORMAT_JP2": 7,
        }


ImageFormatName: TypeAlias = Literal["png", "jpeg", "webp", "avif", "tiff", "gif", "jp2"]
"""The names of ImageFormat in arguments of methods."""


class ProcessImageRequest(base.Model):
    """One image, with what to do with it."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.ProcessImageRequest"

    image_data: bytes = b""
    """The bytes of the image file."""
    content_type: str = ""
    """The media type of the image, such as "image/png". The format is always found by the bytes; a media type of a
    picture that contradicts them is refused.
    """
    steps: list[ImageStep] = []
    """The steps, at most 20."""
    step: ImageStep | None = None
    """One step before `steps`, which a query can have: "step.resize.width=300"."""
    format: ImageFormat = ImageFormat.UNSPECIFIED
    """The format of the result; that of the image if it is absent, or PNG if that format is not written."""
    quality: base.Int32 | None = None
    """The quality of a JPEG, WebP, AVIF or JPEG 2000 file, from 1 to 100. The default is 80 for JPEG and WebP, 60
    for AVIF, and lossless for JPEG 2000.
    """
    lossless: bool = False
    """Whether a WebP file is lossless. The other formats are always so, or never."""
    keep_metadata: bool = False
    """Whether to keep EXIF data (except the orientation, which is applied), XMP and the colour profile, and with it
    the colours as they are. They may say where and by whom a photograph was taken.
    """
    background: str = ""
    """The colour behind transparent areas if the format has no transparency, and of areas that rotating adds:
    "#rrggbb". White if it is empty.
    """


class ImageStep(base.Model):
    """One change of an image."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.ImageStep"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {
        "operation": ("resize", "thumbnail", "crop", "rotate", "grayscale", "deskew", "denoise", "binarise")
    }

    resize: Resize | None = None
    """Change the size."""
    thumbnail: Thumbnail | None = None
    """Make a small image."""
    crop: Crop | None = None
    """Cut out a rectangle."""
    rotate: Rotate | None = None
    """Rotate."""
    grayscale: Grayscale | None = None
    """Remove colour."""
    deskew: Deskew | None = None
    """Straighten a page of print."""
    denoise: Denoise | None = None
    """Remove noise."""
    binarise: Binarise | None = None
    """Make a page black and white."""


class Resize(base.Model):
    """Resize changes the size. It never enlarges unless `enlarge` is set."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Resize"

    width: base.Int32 = 0
    """The width in pixels. Without it, it follows from the height."""
    height: base.Int32 = 0
    """The height in pixels. Without it, it follows from the width."""
    fit: ResizeFit = ResizeFit.UNSPECIFIED
    """What happens if width and height have another ratio than the image."""
    enlarge: bool = False
    """Whether to enlarge an image that is smaller."""


class Thumbnail(base.Model):
    """Thumbnail makes a small image, whose longer side has a given length."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Thumbnail"

    size: base.Int32 = 0
    """The length of the longer side in pixels; 256 if it is absent."""
    square: bool = False
    """Whether to cut the image to a square."""


class Crop(base.Model):
    """Crop cuts out a rectangle, which must lie within the image."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Crop"

    left: base.Int32 = 0
    """The left edge in pixels."""
    top: base.Int32 = 0
    """The upper edge in pixels."""
    width: base.Int32 = 0
    """The width in pixels."""
    height: base.Int32 = 0
    """The height in pixels."""


class Rotate(base.Model):
    """Rotate rotates an image without losing a corner."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Rotate"

    degrees: float = 0.0
    """The angle in degrees, clockwise, from -360 to 360. Multiples of 90 move pixels and do not blur."""


class Grayscale(base.Model):
    """Grayscale removes colour."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Grayscale"


class Deskew(base.Model):
    """Deskew straightens a page of print that is turned by a few degrees. Photographs stay as they are."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Deskew"

    max_angle: float = 0.0
    """The largest angle in degrees, from 0.5 to 45; 15 if it is absent."""


class Denoise(base.Model):
    """Denoise removes noise."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Denoise"

    method: DenoiseMethod = DenoiseMethod.UNSPECIFIED
    """How."""


class Binarise(base.Model):
    """Binarise makes a page black and white."""

    __proto__ = "artificer.image.v1.image_service_pb2:artificer.image.v1.Binarise"

    method: BinariseMethod = BinariseMethod.UNSPECIFIED
    """How."""
