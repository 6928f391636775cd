"""The settings of the OCR service: one frozen value, validated once.

Reads no environment; the gateway's settings do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..kit.settings import InvalidSetting, check_choice, check_not_negative, check_positive
from ..kit.workers.cores import cores


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrSettings:
    """Libraries, workers and limits of the OCR service. Raises ValueError for invalid values."""

    pdf_engine: Literal["pymupdf", "pypdfium2"] = "pymupdf"  # PyMuPDF is AGPL or commercial; pypdfium2 is BSD/Apache
    ocr_engine: Literal["auto", "tesserocr", "pytesseract"] = "auto"  # auto: tesserocr if it is installed
    languages: tuple[str, ...] = ("eng",)  # for requests that name none
    tessdata_dirs: tuple[str, ...] = ()  # folders with *.traineddata, searched before those of pip packages
    workers: int = 0  # processes; 0 means one per core, since Tesseract saturates a core
    max_requests: int = 64  # concurrent requests, including waiting ones; more are refused with RESOURCE_EXHAUSTED
    max_document_bytes: int = 64 * 1024 * 1024  # of one document or image
    max_pages: int = 2000  # of one document
    max_page_pixels: int = 250_000_000  # as in OCRmyPDF: A4 at 1600 dpi, A0 at 400; 250 MB as gray
    max_text_chars: int = 32_000_000  # of a document; a 1 MB PDF can unpack to a gigabyte of text
    dpi_cap: int = 200  # measured: higher is slower and no better, 150 loses small print
    page_timeout: float = 180.0  # seconds per page; OCRmyPDF's default
    draw_timeout: float = 10.0  # seconds of processor time to inspect or draw a page, without OCR; most take 0.1
    start_timeout: float = 60.0  # seconds until a worker must be ready; it takes half a second on an idle machine
    worker_memory_bytes: int = 2 * 1024**3  # of each worker's data; 0 sets no limit
    worker_pages: int = 1000  # tasks before a worker is replaced, which bounds leaks of C libraries
    cost_per_page: float = 0.0  # of OCR, in the operator's currency

    def __post_init__(self) -> None:
        check_positive(
            self,
            "max_requests",
            "max_document_bytes",
            "max_pages",
            "max_page_pixels",
            "max_text_chars",
            "dpi_cap",
            "page_timeout",
            "draw_timeout",
            "start_timeout",
            "worker_pages",
        )
        check_not_negative(self, "workers", "worker_memory_bytes", "cost_per_page")
        check_choice(self, "pdf_engine", "pymupdf", "pypdfium2")
        check_choice(self, "ocr_engine", "auto", "tesserocr", "pytesseract")
        if not self.languages:
            raise InvalidSetting("languages", "languages must name at least one language")

    @property
    def worker_count(self) -> int:
        """The number of worker processes."""
        return self.workers or cores()
