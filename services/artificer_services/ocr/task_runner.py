"""The tasks of a worker process: inspect pages, read a page, read a frame of an image.

Owns the worker's open documents. Knows files, engines and plain values, but neither sockets nor processes.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .draw_time import at_most
from .errors import TooLarge
from .images import ImageFile
from .ocr_engine import OcrEngine, Reading
from .pdf_engine import PdfDocument, PdfEngine, RasterRules
from .raster import check_page

_OPEN = 8  # documents that a worker keeps open; a document closed too early is reopened
_LOOK_SECONDS = 0.25  # after which a batch returns early, so that no document occupies a worker for long
_LOOK_CHARS = 250_000  # also ends a batch, since the server decodes each answer in one step
_PAGE_CHARS = 8_000_000  # of one page, whose answer must fit into a frame

Task = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """The limits that only a parser can check."""

    pages: int
    page_pixels: int
    text_chars: int
    dpi_cap: int
    draw_seconds: float


class TaskRunner:
    """Runs the tasks of one worker on its open documents."""

    def __init__(self, pdf: PdfEngine, ocr: OcrEngine, limits: DocumentLimits) -> None:
        self._pdf = pdf
        self._ocr = ocr
        self._limits = limits
        self._open: OrderedDict[int, PdfDocument | ImageFile] = OrderedDict()
        self._actions: dict[str, Callable[[Task, int], dict[str, Any]]] = {
            "look": self._look,
            "read_page": self._read_page,
            "open_image": self._open_image,
            "read_image": self._read_image,
        }

    def do(self, task: Task, fd: int) -> dict[str, Any]:
        """Run a task on the document in `fd`. Raises OcrError."""
        return self._actions[task["do"]](task, fd)

    def forget(self, document: int) -> None:
        """Close a document if it is open."""
        held = self._open.pop(document, None)
        if held is not None:
            held.close()

    def _look(self, task: Task, fd: int) -> dict[str, Any]:
        """Inspect up to `count` pages from `first` on. The batch with page 0 also checks the sizes of all pages."""
        document = self._document(task, fd)
        first, until = task["first"], time.monotonic() + _LOOK_SECONDS
        if first == 0:
            self._check(document)
        contents: list[dict[str, Any]] = []
        chars = 0
        for index in range(first, min(first + task["count"], document.pages)):
            with at_most(self._limits.draw_seconds):
                content = document.look(index)
            chars += len(content.text)
            if len(content.text) > min(self._limits.text_chars, _PAGE_CHARS):
                raise TooLarge(
                    f"page {index + 1} has {len(content.text):,} characters, which is more than allowed", "data"
                )
            fields = {name: getattr(content, name) for name in content.__slots__}
            contents.append(fields if task["text"] else fields | {"text": ""})
            if chars > _LOOK_CHARS or time.monotonic() > until:
                break
        return {"pages": document.pages, "contents": contents}

    def _check(self, document: PdfDocument) -> None:
        if document.pages > self._limits.pages:
            raise TooLarge(
                f"the document has {document.pages:,} pages; at most {self._limits.pages:,} are allowed", "data"
            )
        for index in range(document.pages):
            check_page(*document.size(index), index + 1, self._limits.page_pixels)

    def _read_page(self, task: Task, fd: int) -> dict[str, Any]:
        rules = RasterRules(task["dpi"], self._limits.dpi_cap, self._limits.page_pixels)
        document = self._document(task, fd)
        with at_most(self._limits.draw_seconds):
            raster = document.raster(task["page"], rules)
        return _answer(self._ocr.read(raster, task["folder"], task["languages"]))

    def _open_image(self, task: Task, fd: int) -> dict[str, Any]:
        return {"pages": self._image(task, fd).pages}

    def _read_image(self, task: Task, fd: int) -> dict[str, Any]:
        raster = self._image(task, fd).raster(task["page"], task["dpi"], self._limits.dpi_cap)
        return _answer(self._ocr.read(raster, task["folder"], task["languages"]))

    def _document(self, task: Task, fd: int) -> PdfDocument:
        held = self._open.get(task["document"])
        if held is None or isinstance(held, ImageFile):
            held = self._pdf.open(_path(fd), task["password"])
            self._keep(task["document"], held)
        return held

    def _image(self, task: Task, fd: int) -> ImageFile:
        held = self._open.get(task["document"])
        if not isinstance(held, ImageFile):
            limits = self._limits
            held = ImageFile(_path(fd), max_pages=limits.pages, max_pixels=limits.page_pixels)
            self._keep(task["document"], held)
        return held

    def _keep(self, document: int, held: PdfDocument | ImageFile) -> None:
        self._open[document] = held
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)[1].close()


def _path(fd: int) -> str:
    """Returns a path by which a library can open a descriptor and read only what it needs."""
    return f"/proc/self/fd/{fd}" if os.path.isdir("/proc/self/fd") else f"/dev/fd/{fd}"


def _answer(reading: Reading) -> dict[str, Any]:
    return {"text": reading.text, "confidence": reading.confidence}
