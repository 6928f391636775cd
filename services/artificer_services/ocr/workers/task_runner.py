"""The tasks of a worker process: inspect pages, read a page, read a frame of an image.

Owns the worker's open documents. Knows files, engines and plain values, but neither sockets nor processes.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ...kit.workers.errors import to_wire
from ..errors import OcrError, TooLarge
from ..images import ImageFile
from ..pdf.engine import PdfDocument, PdfEngine
from ..recognition.reader import Reader
from .answers import pack_reading
from .page_reader import PageReader, Rules
from .pixels import DocumentLimits, OcrRules

_OPEN = 8  # documents that a worker keeps open; a document closed too early is reopened
_LOOK_SECONDS = 0.25  # after which a batch returns early, so that no document occupies a worker for long
_LOOK_CHARS = 250_000  # also ends a batch, since the server decodes each answer in one step

Task = dict[str, Any]


class TaskRunner:
    """Runs the tasks of one worker on its open documents."""

    def __init__(self, pdf: PdfEngine, ocr: Reader, limits: DocumentLimits) -> None:
        self._pdf = pdf
        self.greeting = {"provider": ocr.name, "version": ocr.version}
        self._limits = limits
        self._reader = PageReader(ocr, limits)
        self._open: OrderedDict[int, PdfDocument | ImageFile] = OrderedDict()
        self._actions: dict[str, Callable[[Task, int], dict[str, Any]]] = {
            "count": self._count,
            "look": self._look,
            "read_page": self._read_page,
            "open_image": self._open_image,
            "check_searchable": self._check_searchable,
            "read_image": self._read_image,
        }

    def do(self, task: Task, document: int, output: int | None) -> dict[str, Any]:
        """See `Tasks`."""
        if output is not None:
            return self._make_searchable(task, document, output)
        return self._actions[task["do"]](task, document)

    def forget(self, document: int) -> None:
        """Close a document if it is open."""
        held = self._open.pop(document, None)
        if held is not None:
            held.close()

    def _count(self, task: Task, fd: int) -> dict[str, Any]:
        """Count the pages; its own task for documents whose first page cannot be inspected."""
        return {"pages": self._document(task, fd).pages}

    def _look(self, task: Task, fd: int) -> dict[str, Any]:
        """Inspect up to `count` pages from `first` on."""
        document = self._document(task, fd)
        first, until = task["first"], time.monotonic() + _LOOK_SECONDS
        rules = Rules(**task["rules"])
        pages: list[dict[str, Any]] = []
        chars = 0
        for index in range(first, min(first + task["count"], document.pages)):
            try:
                reading = self._reader.look(document, index, rules)
            except OcrError as error:
                pages.append({"error": to_wire(error)})
            except MemoryError:
                message = f"page {index + 1} needs more memory than the server allows"
                pages.append({"error": to_wire(TooLarge(message, "data"))})
            else:
                chars += len(reading.text)
                packed = pack_reading(reading)
                pages.append(packed if task["text"] else packed | {"text": "", "confidence": None})
            if chars > _LOOK_CHARS or time.monotonic() > until:
                break
        return {"pages": document.pages, "looks": pages}

    def _read_page(self, task: Task, fd: int) -> dict[str, Any]:
        document = self._document(task, fd)
        rules, ocr = Rules(**task["rules"]), OcrRules(**task["ocr"])
        reading = self._reader.read(
            document, task["page"], rules, ocr, layout=task["layout"], only_ocr=task["only_ocr"]
        )
        return pack_reading(reading)

    def _open_image(self, task: Task, fd: int) -> dict[str, Any]:
        return {"pages": self._image(task, fd).pages}

    def _read_image(self, task: Task, fd: int) -> dict[str, Any]:
        image = self._image(task, fd)
        return pack_reading(
            self._reader.read_image(image, task["page"], OcrRules(**task["ocr"]), layout=task["layout"])
        )

    def _check_searchable(self, task: Task, fd: int) -> dict[str, Any]:
        from .searchable import is_signed

        return {"signed": is_signed(_path(fd))}

    def _make_searchable(self, task: Task, fd: int, output: int) -> dict[str, Any]:
        from .searchable import make_searchable  # pikepdf takes 0.1 s and 10 MB, which few tasks need

        image = self._image(task, fd) if task["image"] else None
        seconds = self._limits.draw_seconds
        size = make_searchable(_path(fd), image, task["dpi"], output, _path(output), task["limit"], seconds)
        return {"size": size}

    def _document(self, task: Task, fd: int) -> PdfDocument:
        held = self._open.get(task["document"])
        if held is None or isinstance(held, ImageFile):
            held = self._pdf.open(_path(fd), task["password"])
            limit = self._limits.pages
            if held.pages > limit:
                held.close()
                raise TooLarge(f"the document has {held.pages:,} pages; at most {limit:,} are allowed", "data")
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
