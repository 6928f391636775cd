"""image.process, the task type of batch jobs that changes images; an entry point names this module.

Knows the batch service only through Protocols, since services never import one another. Imports Pillow when the first
image arrives. Items run in worker processes, so the image is decoded right here.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format

from artificer.image.v1 import image_service_pb2 as pb

from ..kit.parameters import Kind, truth
from ..kit.settings import check_positive
from ..kit.task_tables import table
from ..kit.task_types import NotDone, Phase, Work, faults_of
from ..kit.workers.errors import WorkError
from .steps import MEDIA_TYPES, Order
from .translate import order_of

_FORMATS = [value.name.removeprefix("IMAGE_FORMAT_").lower() for value in pb.ImageFormat.DESCRIPTOR.values][1:]
_MAX_STEPS_CHARS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTaskSettings:
    """The limits of image.process. Raises ValueError for invalid values."""

    max_pixels: int = 100_000_000  # of all frames together, also of the result
    max_frames: int = 1000  # of an animation or a TIFF
    max_output_bytes: int = 256 * 1024 * 1024  # of the result

    def __post_init__(self) -> None:
        check_positive(self, "max_pixels", "max_frames", "max_output_bytes")


def _steps(text: str) -> list[Any]:
    try:
        steps = json.loads(text) if len(text) <= _MAX_STEPS_CHARS else None
        json.dumps(steps, ensure_ascii=False).encode()  # raises ValueError for half a surrogate pair
    except (ValueError, RecursionError):
        steps = None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ValueError('must be a JSON list of steps, such as [{"resize": {"width": 300}}]')
    return steps


def _format(text: str) -> str:
    if text not in _FORMATS:
        raise ValueError(f"must be one of {', '.join(_FORMATS)}, not {text[:64]!r}")
    return text


def _quality(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:4]) <= 100:
        raise ValueError(f"must be a whole number from 1 to 100, not {text[:64]!r}")
    return int(text)


_KINDS: dict[str, Kind] = {
    "steps": _steps,
    "format": _format,
    "quality": _quality,
    "lossless": truth,
    "keep_metadata": truth,
    "background": str,
}


class ImageTask:
    """The task type image.process."""

    name = "image.process"
    description = (
        "Changes images, given as a path, a data URI, or blob: and an id; gives blob: and the id of the result."
        " Parameters: steps (a JSON list as in ImageService.ProcessImage), format (such as webp), quality, lossless,"
        " keep_metadata, background."
    )
    scored = False
    takes = "document"
    timeout: float | None = None

    def __init__(self, settings: ImageTaskSettings) -> None:
        self._settings = settings

    def check(self, phase: Phase) -> list[tuple[str, str]]:
        """See the batch service's `Task`."""
        found = faults_of(self.name, phase, _KINDS)
        if not found:
            try:
                _order(phase)
            except WorkError as error:
                found.append((f"parameters.{error.field}", error.message))
            except json_format.ParseError as error:
                found.append(("parameters.steps", str(error)[:300]))
        return found

    def run(self, work: Work) -> str:
        """See the batch service's `Task`."""
        from .work import ImageLimits, process

        data, _ = work.read_document()
        settings = self._settings
        limits = ImageLimits(settings.max_pixels, settings.max_frames, settings.max_output_bytes)
        try:
            # Without the media type of the data URI or blob, which may be wrong; the bytes show the format.
            made = process(io.BytesIO(data), "", _order(work.phase), limits)
        except WorkError as error:
            raise NotDone(error.message, final=True) from error
        frames = f", {made.frames} frames" if made.frames > 1 else ""
        work.log(logging.INFO, f"{made.format}, {made.width} by {made.height} pixels{frames}")
        return work.save_blob(made.data, MEDIA_TYPES[made.format])

    def close(self) -> None:
        """Nothing is kept."""


def _order(phase: Phase) -> Order:
    """Returns what a phase asks for. Raises BadChoice, ParseError."""
    asked = phase.parameters
    fields: dict[str, Any] = {"steps": _steps(asked.get("steps", "[]"))}
    if "format" in asked:
        fields["format"] = f"IMAGE_FORMAT_{asked['format'].upper()}"
    if "quality" in asked:
        fields["quality"] = _quality(asked["quality"])
    request = json_format.ParseDict(fields, pb.ProcessImageRequest())
    request.lossless = truth(asked.get("lossless", "false"))
    request.keep_metadata = truth(asked.get("keep_metadata", "false"))
    request.background = asked.get("background", "")
    order, names = order_of(request)
    order.check(names)
    return order


def create(tasks: Mapping[str, Any]) -> ImageTask:
    """Returns the image.process task with the settings from its table. Raises ValueError for invalid settings."""
    return ImageTask(table(tasks, ImageTask.name, ImageTaskSettings))
