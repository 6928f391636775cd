"""Chooses the OCR library and the PDF library.

Imports a library only when it is chosen: PyMuPDF is under the AGPL, and a process set to pypdfium2 never loads it.
"""

from __future__ import annotations

import importlib.util

from ..pdf.engine import PdfEngine
from ..recognition.engine import OcrEngine


def ocr_engine_name(wanted: str) -> str:
    """Returns the name of the engine for `wanted`, which is "auto" or a name."""
    if wanted != "auto":
        return wanted
    return "tesserocr" if importlib.util.find_spec("tesserocr") else "pytesseract"


def ocr_engine(name: str) -> OcrEngine:
    """Import and return the OCR engine of that name."""
    if name == "pytesseract":
        from ..recognition.pytesseract import PytesseractEngine

        return PytesseractEngine()
    from ..recognition.tesserocr import TesserocrEngine

    return TesserocrEngine()


def pdf_engine(name: str) -> PdfEngine:
    """Import and return the PDF engine of that name."""
    if name == "pypdfium2":
        from ..pdf.pdfium import PdfiumEngine

        return PdfiumEngine()
    from ..pdf.mupdf import MuPdfEngine

    return MuPdfEngine()
