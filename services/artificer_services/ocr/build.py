"""Makes the OCR service from its settings: its servicer, lifecycle and readiness.

The only module that a composition root imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc

from artificer.ocr.v1 import ocr_service_pb2_grpc

from ..kit.lifecycle import Service
from ..kit.workers.child import Program
from ..kit.workers.metrics import PoolMetrics
from ..kit.workers.pool import WorkerPool
from .engine import DocumentReader
from .errors import Unavailable
from .recognition.languages import find_languages
from .servicer import OCRServicer
from .settings import OcrSettings
from .workers.libraries import ocr_engine_name

# Base64 makes a document a third larger, and the other fields need space too.
_BASE64_FACTOR = 1.5
_METHODS = (
    "ExtractTextFromImage",
    "ProcessPDF",
    "ProcessPDFStream",
    "RenderDocument",
    "MakeSearchablePDF",
    "CheckPDFNeedsOCR",
)


class OcrService(Service):
    """The servicer and everything behind it."""

    name = "ocr"
    grpc_name = "artificer.ocr.v1.OCRService"
    local = True

    def __init__(self, settings: OcrSettings | None = None) -> None:
        """Raises ValueError if a default language is not installed."""
        self.settings = settings = settings or OcrSettings()
        languages = find_languages(settings.tessdata_dirs)
        provider = ocr_engine_name(settings.ocr_engine)
        try:
            defaults = languages.choose(settings.languages)
        except Exception as error:
            raise ValueError(f"services.ocr.languages: {error}") from error
        setup = {
            "pdf_engine": settings.pdf_engine,
            "ocr_engine": provider,
            "languages": languages.to_wire(),
            "defaults": languages.concrete(defaults),
            "memory": settings.worker_memory_bytes,
            "limits": {
                "pages": settings.max_pages,
                "page_pixels": settings.max_page_pixels,
                "text_chars": settings.max_text_chars,
                "dpi_cap": settings.dpi_cap,
                "draw_seconds": settings.draw_timeout,
            },
        }
        # Only the `tesseract` program needs files.
        program = Program("OCR", "artificer_services.ocr.workers.worker", scratch=provider == "pytesseract")
        self.pool = WorkerPool(
            program,
            setup,
            size=settings.worker_count,
            task_timeout=settings.page_timeout,
            start_timeout=settings.start_timeout,
            tasks=settings.worker_pages,
        )
        self.reader = DocumentReader(self.pool, settings, languages, provider)
        self.servicer = OCRServicer(self.reader, cost_per_page=settings.cost_per_page)

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server."""
        ocr_service_pb2_grpc.add_OCRServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Start the worker processes and wait until the first is ready. Raises Unavailable if none can be started."""
        await self.pool.start()

    async def stop(self) -> None:
        """End the worker processes; running calls fail with UNAVAILABLE."""
        await self.pool.stop()

    @property
    def body_limits(self) -> Mapping[str, int]:
        """The body size of the largest document as base64 in JSON."""
        limit = int(self.settings.max_document_bytes * _BASE64_FACTOR)
        return {f"/{self.grpc_name}/{name}": limit for name in _METHODS}

    @property
    def collectors(self) -> Sequence[PoolMetrics]:
        """The metrics of the worker processes."""
        return [PoolMetrics(self.pool, "ocr", "Pages and images")]

    async def ready(self) -> bool:
        """Whether documents can be read now, or as soon as a worker is replaced.

        A document may cost its worker, and all of them if there are several such documents; others wait for the next
        worker then. What counts is whether workers can be started.
        """
        try:
            self.pool.check()
        except Unavailable:
            return False
        return True


def build(settings: OcrSettings | None = None) -> OcrService:
    """Returns the OCR service. Raises ValueError for invalid settings."""
    return OcrService(settings)


__all__ = ["OcrService", "OcrSettings", "build"]
