"""Maps requests to the engine's plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from artificer.image.v1 import image_service_pb2 as pb

from ..kit.workers.errors import BadChoice
from . import steps

_FORMATS: dict[int, str] = {
    pb.IMAGE_FORMAT_PNG: "PNG",
    pb.IMAGE_FORMAT_JPEG: "JPEG",
    pb.IMAGE_FORMAT_WEBP: "WEBP",
    pb.IMAGE_FORMAT_AVIF: "AVIF",
    pb.IMAGE_FORMAT_TIFF: "TIFF",
    pb.IMAGE_FORMAT_GIF: "GIF",
    pb.IMAGE_FORMAT_JP2: "JPEG2000",
}
_FITS: dict[int, Any] = {
    pb.RESIZE_FIT_UNSPECIFIED: "inside",
    pb.RESIZE_FIT_INSIDE: "inside",
    pb.RESIZE_FIT_COVER: "cover",
    pb.RESIZE_FIT_FILL: "fill",
}
_DENOISE: dict[int, Any] = {
    pb.DENOISE_METHOD_UNSPECIFIED: "median",
    pb.DENOISE_METHOD_MEDIAN: "median",
    pb.DENOISE_METHOD_MEANS: "means",
}
_BINARISE: dict[int, Any] = {
    pb.BINARISE_METHOD_UNSPECIFIED: "otsu",
    pb.BINARISE_METHOD_OTSU: "otsu",
    pb.BINARISE_METHOD_ADAPTIVE: "adaptive",
}


def order_of(request: pb.ProcessImageRequest) -> tuple[steps.Order, list[str]]:
    """Returns what a request asks for, and the names of the fields of its steps."""
    asked = [("step", request.step)] if request.HasField("step") else []
    # One more than allowed is enough to be refused, and a request can have millions.
    asked += [(f"steps[{number}]", step) for number, step in enumerate(request.steps[: steps.MAX_STEPS + 1])]
    named = [(_named(name, step), _step(name, step)) for name, step in asked]
    if request.HasField("quality") and request.quality < 1:
        raise BadChoice(f"expected 1 to 100, not {request.quality}", "quality")
    if request.format and request.format not in _FORMATS:
        raise BadChoice(f"there is no image format {request.format}", "format")
    order = steps.Order(
        steps=tuple(step for _, step in named),
        format=_FORMATS.get(request.format, ""),
        quality=request.quality,
        lossless=request.lossless,
        keep_metadata=request.keep_metadata,
        background=request.background or "#ffffff",
    )
    return order, [name for name, _ in named]


def _named(name: str, step: pb.ImageStep) -> str:
    return f"{name}.{step.WhichOneof('operation')}"


def _step(name: str, step: pb.ImageStep) -> steps.Step:
    operation = step.WhichOneof("operation") or ""
    made = _STEPS.get(operation)
    if made is None:
        raise BadChoice("expected one of resize, thumbnail, crop, rotate, grayscale, deskew, denoise, binarise", name)
    return made(getattr(step, operation), f"{name}.{operation}")


def _resize(asked: pb.Resize, name: str) -> steps.Resize:
    fit = _one_of(_FITS, asked.fit, "fit", f"{name}.fit")
    return steps.Resize(width=asked.width, height=asked.height, fit=fit, enlarge=asked.enlarge)


def _thumbnail(asked: pb.Thumbnail, _: str) -> steps.Thumbnail:
    return steps.Thumbnail(size=asked.size or steps.Thumbnail().size, square=asked.square)


def _crop(asked: pb.Crop, _: str) -> steps.Crop:
    return steps.Crop(left=asked.left, top=asked.top, width=asked.width, height=asked.height)


def _deskew(asked: pb.Deskew, _: str) -> steps.Deskew:
    return steps.Deskew(max_angle=asked.max_angle or steps.Deskew().max_angle)


def _denoise(asked: pb.Denoise, name: str) -> steps.Denoise:
    return steps.Denoise(method=_one_of(_DENOISE, asked.method, "method", f"{name}.method"))


def _binarise(asked: pb.Binarise, name: str) -> steps.Binarise:
    return steps.Binarise(method=_one_of(_BINARISE, asked.method, "method", f"{name}.method"))


def _one_of(known: dict[int, Any], number: int, what: str, field: str) -> Any:
    if number not in known:
        raise BadChoice(f"there is no {what} {number}", field)
    return known[number]


_STEPS: dict[str, Callable[[Any, str], steps.Step]] = {
    "resize": _resize,
    "thumbnail": _thumbnail,
    "crop": _crop,
    "rotate": lambda asked, _: steps.Rotate(degrees=asked.degrees),
    "grayscale": lambda _, __: steps.Grayscale(),
    "deskew": _deskew,
    "denoise": _denoise,
    "binarise": _binarise,
}
