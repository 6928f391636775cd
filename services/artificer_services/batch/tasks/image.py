"""image.preprocess: prepares images of pages for OCR: deskewed, denoised, binarised.

The task and its settings; `pixels` does the work, and is imported with OpenCV when the first item runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from ...kit.settings import InvalidSetting
from .api import Output, PhaseView, Work
from .parameters import Fault, faults_of, number, one_of
from .tables import table

STEPS = ("deskew", "denoise", "binarise")
_METHODS = ("otsu", "adaptive")
_FILTERS = ("median", "means")
_NEEDED = "cv2", "numpy", "PIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """The limits of image.preprocess. Raises ValueError for invalid values."""

    max_pixels: int = 100_000_000  # A4 at 1000 dpi; checked in the header, before decoding

    def __post_init__(self) -> None:
        if self.max_pixels <= 0:
            raise InvalidSetting("max_pixels", "max_pixels must be positive")


def steps_of(text: str) -> tuple[str, ...]:
    """Returns the requested steps in order. Raises ValueError."""
    steps = tuple(part.strip() for part in text.split(",") if part.strip())
    wrong = [step for step in steps if step not in STEPS]
    if wrong or not steps or len(set(steps)) < len(steps):
        raise ValueError(f"must list some of {', '.join(STEPS)}, each once, not {text[:64]!r}")
    return steps


_KINDS = {
    "steps": steps_of,
    "max_angle": number(0.5, 45),
    "denoise": one_of(_FILTERS),
    "binarise": one_of(_METHODS),
}


class Preprocess:
    """The task type image.preprocess."""

    name = "image.preprocess"
    description = (
        "Prepares an image of a page for OCR. Takes a path, a data URI, or blob: and an id; gives blob: and the id of a"
        " gray PNG. Parameters: steps (deskew, denoise, binarise, run in the order given), max_angle"
        " (degrees), denoise (median or means), binarise (otsu or adaptive)."
    )
    scored = False
    takes: Literal["text", "document"] = "document"
    timeout: float | None = None

    def __init__(self, settings: ImageSettings) -> None:
        self._settings = settings

    def check(self, phase: PhaseView) -> list[Fault]:
        found = faults_of(phase, _KINDS)
        if not all(map(find_spec, _NEEDED)):
            found.append(
                ("task_type", "the server lacks OpenCV for image.preprocess; install 'artificer-services[image]'")
            )
        return found

    def run(self, work: Work) -> Output:
        from . import pixels

        data, _ = work.read_document()
        asked = work.phase.parameters
        page, resolution = pixels.decode(data, self._settings.max_pixels)
        for step in steps_of(asked.get("steps", ",".join(STEPS))):
            if step == "deskew":
                angle = pixels.skew(page, float(asked.get("max_angle", "15")))
                page = pixels.turn(page, angle)
                work.log(logging.INFO, f"rotated by {angle:.2f} degrees")
            elif step == "denoise":
                page = pixels.denoise(page, asked.get("denoise", "median"))
            else:
                page = pixels.binarise(page, asked.get("binarise", "otsu"))
        return Output(text=work.save_blob(pixels.encode(page, resolution), "image/png"))

    def close(self) -> None:
        pass


def create(tasks: Mapping[str, Any]) -> Preprocess:
    """Make image.preprocess. Raises ValueError for invalid settings."""
    return Preprocess(table(tasks, "image.preprocess", ImageSettings))
