"""Reads documents for `artificer ocr --local`: with the service's engine and worker processes, and no server.

The command finds it by the entry point `ocr` of the group `artificer.cli.local`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from importlib.util import find_spec
from types import TracebackType
from typing import Literal

from artificer.cli.errors import Failed, Usage
from artificer.cli.ocr_reading import LACK_END, Asked, OutputKind, Watcher, is_pdf

from ..kit.errors import Kind
from .build import OcrService
from .choices import Choices
from .errors import OcrError, Unexpected
from .output.formats import OutputFormat
from .rendering import Rendering
from .settings import OcrSettings

_FORMATS = {
    OutputKind.TXT: OutputFormat.TEXT,
    OutputKind.MD: OutputFormat.MARKDOWN,
    OutputKind.JSON: OutputFormat.WORDS,
    OutputKind.HOCR: OutputFormat.HOCR,
    OutputKind.ALTO: OutputFormat.ALTO,
    OutputKind.TSV: OutputFormat.TSV,
}


class LocalReader:
    """Reads with workers that live as long as its block. Raises Failed if none can be started."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        # Who does not want PyMuPDF's licence has uninstalled it.
        engine: Literal["pymupdf", "pypdfium2"] = "pymupdf" if find_spec("pymupdf") else "pypdfium2"
        self._service = OcrService(OcrSettings(pdf_engine=engine))

    def __enter__(self) -> LocalReader:
        try:
            self._runner.run(self._service.start())
        except BaseException as error:
            self._runner.close()
            if isinstance(error, OcrError):
                raise Failed(error.message) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._service.stop())
        self._runner.close()

    def read(self, data: bytes, asked: Asked, watcher: Watcher) -> Sequence[bytes]:
        """See `Reader`."""
        try:
            return self._runner.run(self._read(data, asked, watcher))
        except OcrError as error:
            if isinstance(error, Unexpected):
                raise Failed("internal error while reading the document") from error
            raise (Usage if error.kind is Kind.INVALID_ARGUMENT else Failed)(error.message) from error

    async def _read(self, data: bytes, asked: Asked, watcher: Watcher) -> list[bytes]:
        reader = self._service.reader
        if asked.output is OutputKind.PDF:
            choices = _choices(asked, redo=asked.force)
            async with aclosing(reader.searchable(data, choices)) as pieces:
                return [piece async for piece in pieces]
        form = _FORMATS[asked.output]
        rendering = Rendering(form, reader.max_text, image=not is_pdf(data))
        choices = _choices(asked, layout=form is not OutputFormat.TEXT, force=asked.force)
        async with aclosing(reader.either(data, choices)) as pages:
            async for page in pages:
                await rendering.add(page)
                watcher.page(page.of)
                if page.error is not None:
                    watcher.error(page.number, page.error.message)
        return [rendering.encoded(), b"\n" if asked.output in LACK_END else b""]


def _choices(asked: Asked, *, layout: bool = False, redo: bool = False, force: bool = False) -> Choices:
    return Choices(
        languages=asked.languages,
        dpi=asked.dpi,
        password=asked.password or None,
        pages=asked.pages,
        layout=layout,
        redo=redo,
        force=force,
    )
