"""The interface of OCR libraries.

Owns the Protocol that `ocr_tesserocr` and `ocr_pytesseract` implement, and the settings that both use. Engines run in
worker processes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .raster import Raster

# Measured: 3 (automatic layout, no script detection) beats 4 and 6. Mode 1 is LSTM, the only one of tessdata_fast.
PAGE_SEGMENTATION = 3
ENGINE_MODE = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one image and the engine's confidence in it, 0..1."""

    text: str
    confidence: float


class OcrEngine(Protocol):
    """An OCR library."""

    name: str
    version: str

    def read(self, raster: Raster, folder: str, languages: str) -> Reading:
        """Read an image in `languages`, joined by "+", whose data is in `folder`."""
        ...

    def warm(self, folder: str, languages: str) -> None:
        """Load the data of `languages` before the first page."""
        ...
