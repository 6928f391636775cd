"""ocr.extract and ocr.searchable, the task types of batch jobs for documents; entry points name this module.

Knows the batch service only through Protocols, since services never import one another. Imports the OCR libraries
when the first document arrives.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..kit.parameters import Kind, truth
from ..kit.task_tables import table
from ..kit.task_types import NotDone, Phase, TaskLoop, Work, faults_of
from .errors import BadChoice, BadDocument, OcrError, PasswordNeeded, PasswordWrong, Signed, TooLarge, Unexpected
from .page.ranges import parse_pages
from .recognition.languages import find_languages

if TYPE_CHECKING:
    from .build import OcrService
    from .engine import Choices, Page
    from .settings import OcrSettings

_log = logging.getLogger(__name__)

_DPI = range(50, 1201)  # of images; the limit of PDF documents is checked when one is read
_FINAL = (BadDocument, BadChoice, TooLarge, PasswordNeeded, PasswordWrong, Signed)  # a retry cannot succeed


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """The result of an item; `score` is the engine's confidence, 0..1, and None if there is no text."""

    text: str
    score: float | None
    cost: float


class OcrTask:
    """The task type ocr.extract, which reads with its own worker process, in the thread that runs items."""

    name: ClassVar[str] = "ocr.extract"
    description: ClassVar[str] = (
        "Reads PDF documents and images, given as a path, a data URI, or blob: and an id. Form feeds separate pages."
        " Parameters: languages, dpi, force, min_text_threshold, keep_invisible_text, password (an item's metadata may"
        " override the password). The score is the mean confidence."
    )
    scored: ClassVar[bool] = True
    takes = "document"
    timeout: float | None = None

    def __init__(self, settings: OcrSettings) -> None:
        self._settings = settings
        self._loop = TaskLoop()
        self._service: OcrService | None = None

    def check(self, phase: Phase) -> list[tuple[str, str]]:
        found = faults_of(self.name, phase, self._kinds())
        found.extend(self._check_languages(phase.parameters.get("languages", "")))
        return found

    def _kinds(self) -> dict[str, Kind]:
        return _KINDS

    def run(self, work: Work) -> Extract:
        data, content_type = work.read_document()
        try:
            return self._loop.run(self._read(data, content_type, work), work.cancelled)
        except OcrError as error:
            if isinstance(error, Unexpected):
                _log.error("internal error while reading a document: %s", error.message)
                raise NotDone("internal error while reading the document", final=False) from error
            raise NotDone(error.message, final=isinstance(error, _FINAL)) from error

    def close(self) -> None:
        """End the worker process and close the event loop."""
        self._loop.close(self._stop)

    async def _read(self, data: bytes, content_type: str, work: Work) -> Extract:
        service = await self._start()
        choices = _choices(work)
        from . import sniff

        if not sniff.media_type(data).startswith("image/"):
            return await self._read_pdf(service, data, choices, work)
        # Without the media type of the data URI or blob, which may be wrong; the type is detected from the bytes.
        image = await service.reader.image(data, "", choices)
        cost = len(image.pages) * self._settings.cost_per_page
        _log_failures(work, image.pages)
        return Extract(text=_clean(image.text), score=image.confidence, cost=cost)

    async def _read_pdf(self, service: OcrService, data: bytes, choices: Choices, work: Work) -> Extract:
        from .engine import weigh
        from .page.routing import Method

        async with aclosing(service.reader.pages(data, choices)) as stream:
            pages = [page async for page in stream]
        texts = [(page.text, page.confidence or 0.0) for page in pages]
        read = sum(page.decision.method in (Method.OCR, Method.MIXED) for page in pages)
        work.log(logging.INFO, f"{len(texts)} pages, {read} of them by OCR")
        _log_failures(work, pages)
        # Pages without words have no weight; if all are such, the score is the lowest confidence of any page.
        has_words = any(text.split() for text, _ in texts)
        score = weigh(texts) if has_words else min((confidence for _, confidence in texts), default=0.0)
        text = "\f".join(text for text, _ in texts)
        return Extract(text=_clean(text), score=score, cost=read * self._settings.cost_per_page)

    async def _start(self) -> OcrService:
        if self._service is None:
            from .build import OcrService

            service = OcrService(self._settings)
            await service.start()
            self._service = service
        return self._service

    async def _stop(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            await service.stop()

    def _check_languages(self, asked: str) -> list[tuple[str, str]]:
        names = _languages(asked)
        if not names:
            return []
        try:
            find_languages(self._settings.tessdata_dirs).choose(names)
        except OcrError as error:
            return [("parameters.languages", error.message)]
        return []


def _log_failures(work: Work, pages: Sequence[Page]) -> None:
    for page in pages:
        if isinstance(page.error, Unexpected):
            _log.error("internal error while reading page %d: %s", page.number, page.error.message)
            work.log(logging.WARNING, f"page {page.number} could not be read: internal error")
        elif page.error is not None:
            work.log(logging.WARNING, f"page {page.number} could not be read: {page.error.message}")


def _choices(work: Work) -> Choices:
    from .engine import Choices

    asked = work.phase.parameters
    return Choices(
        languages=_languages(asked.get("languages", "")),
        dpi=_dpi(asked["dpi"]) if "dpi" in asked else None,
        force=truth(asked.get("force", "false")),
        threshold=_threshold(asked["min_text_threshold"]) if "min_text_threshold" in asked else None,
        password=work.metadata.get("password") or asked.get("password") or None,
        keep_invisible=truth(asked.get("keep_invisible_text", "false")),
    )


def _languages(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").replace("+", " ").split())


def _dpi(text: str) -> int:
    if not text.isdecimal() or int(text[:9]) not in _DPI:
        raise ValueError(f"must be a whole number from {_DPI[0]} to {_DPI[-1]}, not {text[:64]!r}")
    return int(text)


def _pages(text: str) -> str:
    try:
        parse_pages(text)
    except BadChoice as error:
        raise ValueError(error.message) from None
    return text


def _threshold(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"must be a number of characters, not {text[:64]!r}")
    return int(text)


_KINDS: dict[str, Kind] = {
    "languages": _languages,
    "dpi": _dpi,
    "force": truth,
    "min_text_threshold": _threshold,
    "keep_invisible_text": truth,
    "password": str,
}


def _clean(text: str) -> str:
    """Remove NUL characters, which text layers may contain and PostgreSQL refuses."""
    return text.replace("\0", "")


class SearchableTask(OcrTask):
    """The task type ocr.searchable, whose results are PDF documents."""

    name = "ocr.searchable"
    description = (
        "Adds the text that OCR finds to PDF documents and images, given as a path, a data URI, or blob: and an id;"
        " gives blob: and the id of a PDF document. Parameters: languages, dpi, pages, redo (an earlier OCR)."
    )
    scored = False

    def _kinds(self) -> dict[str, Kind]:
        return {"languages": _languages, "dpi": _dpi, "pages": _pages, "redo": truth}

    async def _read(self, data: bytes, content_type: str, work: Work) -> Extract:
        from .choices import Choices

        service = await self._start()
        asked = work.phase.parameters
        choices = Choices(
            languages=_languages(asked.get("languages", "")),
            dpi=_dpi(asked["dpi"]) if "dpi" in asked else None,
            pages=asked.get("pages", ""),
            redo=truth(asked.get("redo", "false")),
        )
        async with aclosing(service.reader.searchable(data, choices)) as pieces:
            made = b"".join([piece async for piece in pieces])
        return Extract(text=work.save_blob(made, "application/pdf"), score=None, cost=0.0)


def create(tasks: Mapping[str, Any]) -> OcrTask:
    """Returns the ocr.extract task with the settings from its table. Raises ValueError for invalid settings."""
    return OcrTask(_settings(tasks, OcrTask.name))


def create_searchable(tasks: Mapping[str, Any]) -> SearchableTask:
    """Returns the ocr.searchable task, as `create` does."""
    return SearchableTask(_settings(tasks, SearchableTask.name))


def _settings(tasks: Mapping[str, Any], name: str) -> OcrSettings:
    from .settings import OcrSettings

    # Each of the job's workers reads one document at a time.
    return table(tasks, name, OcrSettings, workers=1)
