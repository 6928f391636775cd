"""Makes the OCR service from its settings: the servicer, its workers' life, its readiness.

The only room that a composition root needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .engine import Reader
from .errors import Unavailable
from .languages import find_languages
from .ocr_engine import ocr_engine_name
from .pool import WorkerPool
from .servicer import OCRServicer
from .settings import OcrSettings


class OcrService:
    """The servicer and everything behind it. Cheap to make: nothing runs before `start`."""

    def __init__(self, settings: OcrSettings | None = None) -> None:
        """Raises ValueError where a default language is not installed."""
        self.settings = settings = settings or OcrSettings()
        languages = find_languages(settings.tessdata_dirs)
        provider = ocr_engine_name(settings.ocr_engine)
        try:
            folder, defaults = languages.choose(settings.languages)
        except Exception as error:
            raise ValueError(f"the OCR service's default languages: {error}") from error
        setup = {
            "pdf_engine": settings.pdf_engine,
            "ocr_engine": provider,
            "folder": folder,
            "languages": defaults,
            "memory": settings.worker_memory_bytes,
            "limits": {
                "pages": settings.max_pages,
                "page_pixels": settings.max_page_pixels,
                "text_chars": settings.max_text_chars,
                "dpi_cap": settings.dpi_cap,
            },
        }
        self.pool = WorkerPool(
            setup,
            size=settings.worker_count,
            page_timeout=settings.page_timeout,
            start_timeout=settings.start_timeout,
            tasks=settings.worker_pages,
        )
        self.reader = Reader(self.pool, settings, languages, provider)
        self.servicer = OCRServicer(self.reader, cost_per_page=settings.cost_per_page)

    async def start(self) -> None:
        """Start the worker processes; returns when the first is ready. Raises Unavailable when none can be started."""
        await self.pool.start()

    async def stop(self) -> None:
        """End the worker processes; calls that still run fail with UNAVAILABLE."""
        await self.pool.stop()

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """The service's life as an async context manager; whatever app it is given is left alone."""
        await self.start()
        try:
            yield
        finally:
            await asyncio.shield(self.stop())

    async def ready(self) -> bool:
        """Whether documents can be read now."""
        try:
            self.pool.check()
        except Unavailable:
            return False
        return bool(self.pool.workers)


def build(settings: OcrSettings | None = None) -> OcrService:
    """Make the OCR service. Raises ValueError for settings that cannot work."""
    return OcrService(settings)


__all__ = ["OcrService", "OcrSettings", "build"]
