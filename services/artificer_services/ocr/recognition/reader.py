"""Reads one page or picture with an OCR engine: turned upright, straightened, and in languages of its script.

The door of this room for pixels. Runs in worker processes only.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ScriptMissing
from ..page.places import scaled
from ..page.raster import Raster
from ..page.turning import Turn, turn_lines
from .auto import pick_languages
from .engine import EngineText, LanguageData, OcrEngine, Reading
from .grain import smoothed
from .languages import AUTO, Languages
from .legible import legible
from .scripts import languages_of, plain_script, script_of
from .skew import find_skew
from .slopes import is_vertical, skew_of
from .upright import has_print, turned

# Words of a clean page have a confidence of 0.95, those of a page upside down 0.3, those of a poor fax 0.7.
_DOUBTFUL = 0.65
# Degrees. Measured on scans of 200 dpi: at 1.5 as many characters are wrong as on level lines, at 2.7 0.3 % more, at
# 5.7 2 % more, and from 7 on whole lines are lost.
_STEEP = 1.5
_LEVEL = 0.2  # degrees; less skew is not visible
_FEW_WORDS = 40  # of which script detection may tell nothing, and which are read again in a moment


class _Attempt(NamedTuple):
    """What was found on an image that was turned by `rotation` and then `skew` degrees clockwise."""

    found: EngineText
    size: tuple[int, int]  # of the image that was read
    rotation: int
    skew: float

    @property
    def slope(self) -> float:
        return skew_of(self.found.lines, self.found.slopes)

    @property
    def sideways(self) -> bool:
        return sum(map(is_vertical, self.found.lines)) * 2 > len(self.found.lines)


class Reader:
    """Reads images with one engine in the installed languages. AUTO prefers `defaults` where it cannot tell."""

    def __init__(self, engine: OcrEngine, languages: Languages, defaults: tuple[str, ...]) -> None:
        self.name, self.version = engine.name, engine.version
        self._engine = engine
        self._languages = languages
        self._defaults = defaults

    def read(self, raster: Raster, names: tuple[str, ...]) -> Reading:
        """Returns the text of an image and how it was read; `names` are languages, or only AUTO.

        Raises ScriptMissing if no language is installed for the script that AUTO finds.
        """
        return self._read_auto(raster) if names == (AUTO,) else self._read(raster, names)

    def _read(self, given: Raster, names: tuple[str, ...], rotation: int = 0, script: str = "") -> Reading:
        raster, scale = legible(given)
        raster = smoothed(raster)
        data = self._languages.data(names)
        best = self._attempt(raster, data, rotation)
        if abs(best.slope) > _STEEP:
            best = self._attempt(raster, data, rotation, -best.slope)
        if (best.sideways or best.found.confidence < _DOUBTFUL) and has_print(raster.image):
            best, seen = self._search(raster, data, best)
            script = script or seen
        return _reading(given, scale, raster.dpi, best, names, script)

    def _read_auto(self, raster: Raster) -> Reading:
        lies = self._engine.orient(raster, self._languages.osd) if self._languages.osd else None
        rotation = lies.rotation if lies else 0
        upright = turned(raster, rotation, 0.0)
        if lies and rotation:
            lies = self._engine.orient(upright, self._languages.osd)  # the script of a turned page is often wrong
        script = plain_script(lies.script) if lies else ""
        found = languages_of(script, self._languages.installed) if script else []
        names = pick_languages(self._engine, self._languages, upright, found, self._defaults)
        reading = self._read(raster, names, rotation, script_of(names[0]))
        if script and not found and reading.confidence < _DOUBTFUL:
            have = ", ".join(self._languages.installed)
            raise ScriptMissing(
                f"the page is in the script {script}, of which no language is installed; installed: {have}", "languages"
            )
        return reading

    def _search(self, raster: Raster, data: LanguageData, first: _Attempt) -> tuple[_Attempt, str]:
        """Returns the best of several ways to turn an image that reads badly or lies sideways, and its script."""
        skew = find_skew(raster.image)
        skew = skew if abs(skew) > _STEEP else 0.0
        lies = self._engine.orient(turned(raster, 0, skew), self._languages.osd) if self._languages.osd else None
        if lies:
            rotations = [lies.rotation]
        elif 0 < sum(len(line.words) for line in first.found.lines) <= _FEW_WORDS:
            rotations = [90, 180, 270]
        else:
            rotations = [0]
        again = [(rotation, skew) for rotation in rotations if (rotation, skew) != (first.rotation, first.skew)]
        best = first
        for how in again:
            attempt = self._attempt(raster, data, *how)
            # Tesseract can read lines that run downwards, but orders them worse.
            if attempt.found.score > best.found.score * (0.9 if best.sideways else 1):
                best = attempt
        return best, plain_script(lies.script) if lies and lies.rotation == 0 else ""

    def _attempt(self, raster: Raster, data: LanguageData, rotation: int, skew: float = 0.0) -> _Attempt:
        image = turned(raster, rotation, skew)
        found = self._engine.read(image, data, steep=None if skew else _STEEP)
        return _Attempt(found, image.image.size, rotation, skew)


def _reading(given: Raster, scale: float, dpi: int, attempt: _Attempt, names: tuple[str, ...], script: str) -> Reading:
    """Returns what an attempt found; it read `given` enlarged by `scale` to `dpi`."""
    rest = attempt.slope if _LEVEL < abs(attempt.slope) <= 2 * _STEEP and not attempt.sideways else 0.0
    turn = Turn(*given.image.size, attempt.rotation, round(attempt.skew - rest, 2))
    width, height = turn.size
    # Straightening enlarges the image about its centre.
    left, top = (width - attempt.size[0] / scale) / 2, (height - attempt.size[1] / scale) / 2
    lines = turn_lines(scaled(attempt.found.lines, 1 / scale, left, top), Turn(width, height, skew=-rest))
    return Reading(attempt.found.text, attempt.found.confidence, lines, turn, dpi, names, script)
