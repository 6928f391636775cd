"""OCR through tesserocr, which runs Tesseract inside the process.

The only module that imports tesserocr. Runs in worker processes only: one engine serves one page at a time.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import tesserocr  # type: ignore[import-untyped]  # no py.typed

from ..page.layout import Box, Line, Word
from ..page.raster import Raster
from .engine import ENGINE_MODE, PAGE_SEGMENTATION, EngineText, LanguageData, Orientation, make_word
from .slopes import skew_of

_KEPT = 4  # loaded sets of languages; each takes about 40 MB
_CHARACTERS = (50, 10)  # Tesseract's default for telling how a page lies; then as few as a line has


class TesserocrEngine:
    """Tesseract through its C++ API, which keeps recently used languages loaded."""

    name = "tesserocr"

    def __init__(self) -> None:
        self.version = tesserocr.tesseract_version().split()[1]
        tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
        self._apis: OrderedDict[LanguageData, Any] = OrderedDict()

    def warm(self, data: LanguageData) -> None:
        self._api(data)

    def read(self, raster: Raster, data: LanguageData, *, steep: float | None = None) -> EngineText:
        api = self._api(data)
        try:
            _show(api, raster)
            if steep is not None:
                lines, slopes = _found(_layout(api))  # which GetUTF8Text would make first, and does not repeat
                if abs(skew_of(lines, slopes)) > steep:
                    return EngineText("", lines, slopes)
            try:
                text = api.GetUTF8Text()
            except RuntimeError as error:  # Tesseract fails so on a picture for whose copies it gets no memory
                raise MemoryError from error
            return EngineText(text, *_found(_lines(api)))
        finally:
            api.Clear()

    def orient(self, raster: Raster, folder: str) -> Orientation | None:
        api = self._api(LanguageData(folder, "osd"))
        try:
            for enough in _CHARACTERS:
                api.SetVariable("min_characters_to_try", str(enough))
                _show(api, raster)
                found = api.DetectOrientationScript()
                if found:
                    rotation = (360 - int(found["orient_deg"])) % 360
                    return Orientation(rotation, str(found["script_name"]), float(found["script_conf"]))
            return None
        finally:
            api.Clear()

    def _api(self, data: LanguageData) -> Any:
        if data in self._apis:
            self._apis.move_to_end(data)
            return self._apis[data]
        osd = data.names == "osd"
        mode, engine = (tesserocr.PSM.OSD_ONLY, tesserocr.OEM.DEFAULT) if osd else (PAGE_SEGMENTATION, ENGINE_MODE)
        api = tesserocr.PyTessBaseAPI(path=data.folder, lang=data.names, psm=mode, oem=engine)
        api.SetVariable("debug_file", "/dev/null")  # it writes remarks such as "Empty page!!" to standard error
        self._apis[data] = api
        if len(self._apis) > _KEPT:
            self._apis.popitem(last=False)[1].End()
        return api


def _show(api: Any, raster: Raster) -> None:
    width, height = raster.image.size
    api.SetImageBytes(raster.image.tobytes(), width, height, 1, width)
    if raster.dpi:
        api.SetSourceResolution(raster.dpi)


def _found(pairs: Iterable[tuple[Line, float]]) -> tuple[tuple[Line, ...], tuple[float, ...]]:
    found = list(pairs)
    return tuple(line for line, _ in found), tuple(slope for _, slope in found)


def _layout(api: Any) -> Iterator[tuple[Line, float]]:
    """Yields the lines of a page and their slopes before any is read."""
    found = api.AnalyseLayout()
    if found is None:
        return
    for item in tesserocr.iterate_level(found, tesserocr.RIL.TEXTLINE):
        box = item.BoundingBox(tesserocr.RIL.TEXTLINE)
        if box is not None:
            yield Line(Box(*box), ()), _slope(item.Baseline(tesserocr.RIL.TEXTLINE))


def _lines(api: Any) -> Iterator[tuple[Line, float]]:
    """Yields the lines of the page just read and their slopes.

    The iterator takes a sixth of the time of hOCR, and a third of that of TSV.
    """
    box, slope, words = Box(0, 0, 0, 0), 0.0, list[Word]()
    for item in tesserocr.iterate_level(api.GetIterator(), tesserocr.RIL.WORD):
        if item.IsAtBeginningOf(tesserocr.RIL.TEXTLINE):
            if words:
                yield Line(box, tuple(words)), slope
            words = []
            box = Box(*(item.BoundingBox(tesserocr.RIL.TEXTLINE) or box))
            slope = _slope(item.Baseline(tesserocr.RIL.TEXTLINE))
        place = item.BoundingBox(tesserocr.RIL.WORD)
        if place is None or item.Empty(tesserocr.RIL.WORD):  # a picture
            continue
        text = item.GetUTF8Text(tesserocr.RIL.WORD).strip()
        if text:
            height = item.RowAttributes()["row_height"]
            words.append(make_word(text, Box(*place), item.Confidence(tesserocr.RIL.WORD), height))
    if words:
        yield Line(box, tuple(words)), slope


def _slope(baseline: Any) -> float:
    if not baseline:
        return 0.0
    (left, top), (right, bottom) = baseline
    return math.degrees(math.atan2(bottom - top, right - left))
