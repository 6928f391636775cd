"""The steps that change an image, as plain values, and what makes them invalid before any pixel is decoded.

Pure. Steps cross to the workers as JSON.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..kit.workers.errors import BadChoice

MAX_STEPS = 20
_SIDE = 65_535  # pixels; formats have limits of their own near it
_COLOR = re.compile(r"#[0-9a-f]{6}", re.ASCII | re.IGNORECASE)
_THUMBNAIL = 256
_DESKEW = 15.0

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "JPEG2000")
MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "JPEG2000": "image/jp2",
}
LOSSY = frozenset({"JPEG", "WEBP", "AVIF", "JPEG2000"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """See the proto; 0 is a side that follows from the other."""

    width: int = 0
    height: int = 0
    fit: Literal["inside", "cover", "fill"] = "inside"
    enlarge: bool = False

    def check(self, field: str) -> None:
        """Raise BadChoice for impossible sizes."""
        for name, side in (("width", self.width), ("height", self.height)):
            _in(side, 0, _SIDE, f"{field}.{name}", "pixels")
        if not self.width and not self.height:
            raise BadChoice("expected a width or a height", f"{field}.width")
        if self.fit != "inside" and not (self.width and self.height):
            raise BadChoice(f"the fit {self.fit} needs a width and a height", f"{field}.fit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """See the proto."""

    size: int = _THUMBNAIL
    square: bool = False

    def check(self, field: str) -> None:
        """Raise BadChoice for an impossible size."""
        _in(self.size, 1, _SIDE, f"{field}.size", "pixels")

    @property
    def resize(self) -> Resize:
        """The same as a change of size."""
        return Resize(width=self.size, height=self.size, fit="cover" if self.square else "inside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """See the proto."""

    left: int = 0
    top: int = 0
    width: int
    height: int

    def check(self, field: str) -> None:
        """Raise BadChoice for a rectangle that no image has."""
        for name, least in (("left", 0), ("top", 0), ("width", 1), ("height", 1)):
            _in(getattr(self, name), least, 2**31 - 1, f"{field}.{name}", "pixels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    """See the proto; clockwise."""

    degrees: float

    def check(self, field: str) -> None:
        """Raise BadChoice for an impossible angle."""
        _in(self.degrees, -360, 360, f"{field}.degrees", "degrees")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grayscale:
    """See the proto."""

    def check(self, field: str) -> None:
        """Nothing can be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deskew:
    """See the proto."""

    max_angle: float = _DESKEW

    def check(self, field: str) -> None:
        """Raise BadChoice for an impossible angle."""
        _in(self.max_angle, 0.5, 45, f"{field}.max_angle", "degrees")


@dataclass(frozen=True, slots=True, kw_only=True)
class Denoise:
    """See the proto."""

    method: Literal["median", "means"] = "median"

    def check(self, field: str) -> None:
        """Nothing can be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binarise:
    """See the proto."""

    method: Literal["otsu", "adaptive"] = "otsu"

    def check(self, field: str) -> None:
        """Nothing can be wrong."""


Step = Resize | Thumbnail | Crop | Rotate | Grayscale | Deskew | Denoise | Binarise
_KINDS: dict[str, type[Step]] = {
    kind.__name__.lower(): kind for kind in (Resize, Thumbnail, Crop, Rotate, Grayscale, Deskew, Denoise, Binarise)
}
SIZED = (Resize, Thumbnail)
"""The steps after which the stated dots per inch are wrong."""
OPENCV = (Deskew, Denoise, Binarise)
"""The steps that need OpenCV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do with an image. `format` is "" for that of the image; `quality` 0 for the format's default."""

    steps: tuple[Step, ...] = ()
    format: str = ""
    quality: int = 0
    lossless: bool = False
    keep_metadata: bool = False
    background: str = "#ffffff"

    def check(self, names: list[str]) -> None:
        """Raise BadChoice for what no image allows; `names` are the fields of the steps."""
        if len(self.steps) > MAX_STEPS:
            raise BadChoice(f"expected at most {MAX_STEPS} steps", "steps")
        for step, name in zip(self.steps, names, strict=True):
            step.check(name)
        if self.quality:  # 0 stands for an absent one
            _in(self.quality, 1, 100, "quality", "")
        if not _COLOR.fullmatch(self.background):
            raise BadChoice(f"expected a colour such as #ffffff, not {self.background[:32]!r}", "background")
        if self.quality and self.format and self.format not in LOSSY:
            raise BadChoice(f"{self.format} has no quality: it is always lossless", "quality")
        if self.lossless and self.format not in ("WEBP", ""):
            raise BadChoice(f"only WebP files are lossless on request, not {self.format}", "lossless")
        if self.lossless and self.quality:
            raise BadChoice("a lossless file has no quality", "quality")

    def pack(self) -> dict[str, Any]:
        """Returns the order as a frame."""
        steps = [{"kind": type(step).__name__.lower(), **asdict(step)} for step in self.steps]
        return {name: getattr(self, name) for name in self.__slots__ if name != "steps"} | {"steps": steps}


def unpack(frame: dict[str, Any]) -> Order:
    """Returns the order in a frame of `pack`."""
    steps = tuple(_KINDS[step["kind"]](**{k: v for k, v in step.items() if k != "kind"}) for step in frame["steps"])
    return Order(**(frame | {"steps": steps}))


def _in(value: float, least: float, most: float, field: str, unit: str) -> None:
    if not least <= value <= most:  # also false for NaN
        raise BadChoice(f"expected {least:,} to {most:,}{unit and ' ' + unit}, not {value:,}", field)
