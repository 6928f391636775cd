"""The interface of OCR libraries.

Owns the Protocol that `tesserocr` and `pytesseract` implement, and the settings that both use. Engines run in
worker processes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..page.layout import Box, Line, Word
from ..page.turning import Turn

if TYPE_CHECKING:
    from ..page.raster import Raster  # which loads Pillow, that the server does not need

# Measured: 3 (automatic layout, no script detection) beats 4 and 6. Mode 1 is LSTM, the only one of tessdata_fast.
PAGE_SEGMENTATION = 3
ENGINE_MODE = 1


# Tesseract gives the height of a row from descender to ascender; of most text fonts that is nine tenths of their size.
_ROW = 0.9


class LanguageData(NamedTuple):
    """Languages as Tesseract takes them: names joined by "+", whose data is in `folder` or relative to it."""

    folder: str
    names: str


@dataclass(frozen=True, slots=True)
class EngineText:
    """What an OCR library finds in an image: text, and lines with their places in pixels, sizes of letters too.

    `slopes` are the angles of the lines in degrees: positive if a line falls to the right, and about 90 if it is
    vertical. Without text, the library gave up because lines were steep, and `lines` are without words.
    """

    text: str
    lines: tuple[Line, ...]
    slopes: tuple[float, ...]

    @property
    def confidence(self) -> float:
        """The mean confidence of the words, 0..1; 0 if there are none."""
        scores = [word.confidence for line in self.lines for word in line.words]
        return sum(scores) / len(scores) if scores and self.text.strip() else 0.0

    @property
    def score(self) -> float:
        """Grows with the characters that were read and with the confidence in them."""
        return sum(len(word.text) * word.confidence**2 for line in self.lines for word in line.words)


class Orientation(NamedTuple):
    """How an image lies: the degrees by which to turn it clockwise, and its script, with a confidence from 0 on."""

    rotation: int
    script: str
    script_confidence: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one image, the confidence in it, 0..1, and how it was read.

    `lines` are those of the image once it is turned to be read, in pixels of the image as it was given, with sizes of
    letters; `turn` tells where they are on the image as it was given. `dpi` is the resolution at which it was read, 0
    if unknown. `script` is empty if it was not determined.
    """

    text: str
    confidence: float
    lines: tuple[Line, ...]
    turn: Turn
    dpi: int
    languages: tuple[str, ...]
    script: str = ""

    @property
    def rotation(self) -> int:
        """The degrees by which the image was turned clockwise to be read: 0, 90, 180 or 270."""
        return self.turn.rotation

    @property
    def skew(self) -> float:
        """The degrees by which it was turned clockwise beyond that to straighten its lines."""
        return self.turn.skew


class OcrEngine(Protocol):
    """An OCR library."""

    name: str
    version: str

    def read(self, raster: Raster, data: LanguageData, *, steep: float | None = None) -> EngineText:
        """Read an image as it is. It may give up before reading if lines slope by more than `steep` degrees."""
        ...

    def orient(self, raster: Raster, folder: str) -> Orientation | None:
        """Returns how an image lies, or None if it has too few characters; the data "osd" is in `folder`."""
        ...

    def warm(self, data: LanguageData) -> None:
        """Load the data of languages before the first page."""
        ...


def make_word(text: str, box: Box, confidence: float, row_height: float) -> Word:
    """Returns a word from Tesseract's values: a confidence of 0..100, and the height of the word's row in pixels."""
    return Word(text, box, round(min(max(confidence / 100, 0.0), 1.0), 4), round(row_height / _ROW, 1))
