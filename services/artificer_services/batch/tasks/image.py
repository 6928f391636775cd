"""image.preprocess: prepares images of pages for OCR: deskewed, denoised, binarised.

The task and its settings; the kit's `pictures` and `pixels` do the work, and are imported with their libraries when the
first item runs.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from ...kit.parameters import number, one_of
from ...kit.settings import InvalidSetting
from ...kit.task_tables import table
from ...kit.task_types import faults_of
from ...kit.workers.errors import BadDocument, TooLarge, blame_document
from .api import Output, PhaseView, Rejected, Work

if TYPE_CHECKING:
    from ...kit.pixels import Page

STEPS = ("deskew", "denoise", "binarise")
_METHODS = ("otsu", "adaptive")
_FILTERS = ("median", "means")
_FRAMED = ("TIFF", "GIF", "WEBP", "PNG", "AVIF")  # the pictures inside a HEIC file are separate ones
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

    def check(self, phase: PhaseView) -> list[tuple[str, str]]:
        found = faults_of(self.name, phase, _KINDS)
        if not all(map(find_spec, _NEEDED)):
            found.append(
                ("task_type", "the server lacks OpenCV for image.preprocess; install 'artificer-services[image]'")
            )
        return found

    def run(self, work: Work) -> Output:
        from ...kit import pixels

        data, _ = work.read_document()
        asked = work.phase.parameters
        page, resolution = _decoded(data, self._settings.max_pixels)
        for step in steps_of(asked.get("steps", ",".join(STEPS))):
            if step == "deskew":
                angle = pixels.skew(page, float(asked.get("max_angle", "15")))
                page = pixels.turn(page, angle)
                work.log(logging.INFO, f"rotated by {angle:.2f} degrees")
            elif step == "denoise":
                page = pixels.denoise(page, asked.get("denoise", "median"))
            else:
                page = pixels.binarise(page, asked.get("binarise", "otsu"))
        return Output(text=work.save_blob(_encoded(page, resolution), "image/png"))

    def close(self) -> None:
        pass


def _decoded(data: bytes, max_pixels: int) -> tuple[Page, int]:
    """Returns the gray pixels of an image, upright, and its dots per inch, 0 if not stated. Raises Rejected."""
    import numpy as np

    from ...kit import pictures

    try:
        with pictures.open_picture(io.BytesIO(data), max_pixels) as image:
            with blame_document("the image is damaged: its frames cannot be read"):
                several = getattr(image, "n_frames", 1) > 1 and image.format in _FRAMED
            if several:
                raise Rejected("the image has several frames; send each as a separate item")
            with blame_document("the image is damaged: its pixels cannot be decoded"):
                gray = pictures.upright(pictures.to_gray(image))
            return np.asarray(gray, dtype=np.uint8), pictures.stated_dpi(image)
    except (BadDocument, TooLarge) as error:
        raise Rejected(error.message) from error


def _encoded(page: Page, resolution: int) -> bytes:
    """Returns a page as a PNG with its resolution."""
    from PIL import Image

    file = io.BytesIO()
    dpi = {"dpi": (resolution, resolution)} if resolution else {}
    Image.fromarray(page).save(file, "PNG", **dpi)
    return file.getvalue()


def create(tasks: Mapping[str, Any]) -> Preprocess:
    """Make image.preprocess. Raises ValueError for invalid settings."""
    return Preprocess(table(tasks, "image.preprocess", ImageSettings))
