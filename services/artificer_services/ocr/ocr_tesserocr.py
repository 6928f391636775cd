"""OCR through tesserocr, which runs Tesseract inside the process.

The only module that imports tesserocr. Runs in worker processes only: one engine serves one page at a time.
"""

from __future__ import annotations

from collections import OrderedDict

import tesserocr  # type: ignore[import-untyped]  # no py.typed

from .ocr_engine import ENGINE_MODE, PAGE_SEGMENTATION, Reading
from .raster import Raster

_KEPT = 3  # loaded sets of languages; each takes about 40 MB


class TesserocrEngine:
    """Tesseract through its C++ API, which keeps recently used languages loaded."""

    name = "tesserocr"

    def __init__(self) -> None:
        self.version = tesserocr.tesseract_version().split()[1]
        tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
        self._apis: OrderedDict[tuple[str, str], tesserocr.PyTessBaseAPI] = OrderedDict()

    def warm(self, folder: str, languages: str) -> None:
        self._api(folder, languages)

    def read(self, raster: Raster, folder: str, languages: str) -> Reading:
        api = self._api(folder, languages)
        width, height = raster.image.size
        try:
            api.SetImageBytes(raster.image.tobytes(), width, height, 1, width)
            if raster.dpi:
                api.SetSourceResolution(raster.dpi)
            text = api.GetUTF8Text()
            return Reading(text, api.MeanTextConf() / 100 if text.strip() else 0.0)
        finally:
            api.Clear()

    def _api(self, folder: str, languages: str) -> tesserocr.PyTessBaseAPI:
        key = (folder, languages)
        if key in self._apis:
            self._apis.move_to_end(key)
            return self._apis[key]
        api = tesserocr.PyTessBaseAPI(path=folder, lang=languages, psm=PAGE_SEGMENTATION, oem=ENGINE_MODE)
        api.SetVariable("debug_file", "/dev/null")  # it writes remarks such as "Empty page!!" to standard error
        self._apis[key] = api
        if len(self._apis) > _KEPT:
            self._apis.popitem(last=False)[1].End()
        return api
