"""What a worker process does with documents: look at pages, read a page, read a frame of an image.

Owns the documents a worker has open. Knows files, engines and plain values; neither sockets nor processes.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import TooLarge
from .images import ImageFile
from .ocr_engine import OcrEngine, Reading
from .pdf_engine import PdfDocument, PdfEngine, RasterRules
from .raster import check_page

_OPEN = 8  # documents a worker keeps open; one that was closed too early is opened anew
_LOOK_SECONDS = 0.25  # after which a batch of pages is given back, so that no document holds a worker for long
_LOOK_CHARS = 250_000  # likewise: the server decodes an answer in one go
_PAGE_CHARS = 8_000_000  # of one page; its answer must fit a frame

Task = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that only the parser can check."""

    pages: int
    page_pixels: int
    text_chars: int
    dpi_cap: int


class TaskRunner:
    """The open documents of one worker, and the things it can do with them."""

    def __init__(self, pdf: PdfEngine, ocr: OcrEngine, limits: Limits) -> None:
        self._pdf = pdf
        self._ocr = ocr
        self._limits = limits
        self._open: OrderedDict[int, PdfDocument | ImageFile] = OrderedDict()
        self._doings: dict[str, Callable[[Task, int], dict[str, Any]]] = {
            "look": self._look,
            "read_page": self._read_page,
            "open_image": self._open_image,
            "read_image": self._read_image,
        }

    def do(self, task: Task, fd: int) -> dict[str, Any]:
        """Do a task on the document behind `fd`. Raises OcrError."""
        return self._doings[task["do"]](task, fd)

    def forget(self, document: int) -> None:
        """Close a document, if it is open."""
        held = self._open.pop(document, None)
        if held is not None:
            held.close()

    def _look(self, task: Task, fd: int) -> dict[str, Any]:
        """Look at up to `count` pages from `first` on; all pages' sizes are checked with the first."""
        document = self._document(task, fd)
        first, until = task["first"], time.monotonic() + _LOOK_SECONDS
        if first == 0:
            self._check(document)
        sights: list[dict[str, Any]] = []
        chars = 0
        for index in range(first, min(first + task["count"], document.pages)):
            sight = document.look(index)
            chars += len(sight.text)
            if len(sight.text) > min(self._limits.text_chars, _PAGE_CHARS):
                raise TooLarge(f"page {index + 1} has {len(sight.text):,} characters: too many", "data")
            fields = {name: getattr(sight, name) for name in sight.__slots__}
            sights.append(fields if task["text"] else fields | {"text": ""})
            if chars > _LOOK_CHARS or time.monotonic() > until:
                break
        return {"pages": document.pages, "sights": sights}

    def _check(self, document: PdfDocument) -> None:
        if document.pages > self._limits.pages:
            raise TooLarge(
                f"the document has {document.pages:,} pages; at most {self._limits.pages:,} are read", "data"
            )
        for index in range(document.pages):
            check_page(*document.size(index), index + 1, self._limits.page_pixels)

    def _read_page(self, task: Task, fd: int) -> dict[str, Any]:
        rules = RasterRules(task["dpi"], self._limits.dpi_cap, self._limits.page_pixels)
        raster = self._document(task, fd).raster(task["page"], rules)
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
    """A name by which a library opens a descriptor: it reads what it needs, instead of being given a copy."""
    return f"/proc/self/fd/{fd}" if os.path.isdir("/proc/self/fd") else f"/dev/fd/{fd}"


def _answer(reading: Reading) -> dict[str, Any]:
    return {"text": reading.text, "confidence": reading.confidence}
