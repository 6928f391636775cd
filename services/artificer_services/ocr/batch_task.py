"""ocr.extract, the task type of batch jobs that reads documents; an entry point names this module.

Knows the batch service only through Protocols, since services never import one another. Imports the OCR libraries
when the first document arrives.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..kit.settings import read_table
from .errors import BadChoice, BadDocument, OcrError, PasswordNeeded, PasswordWrong, TooLarge, Unexpected
from .languages import find_languages

if TYPE_CHECKING:
    from .build import OcrService
    from .engine import Choices
    from .settings import OcrSettings

_log = logging.getLogger(__name__)

_NAME = "ocr.extract"
_PLACE = "services.batch.tasks.ocr.extract"
_DPI = range(50, 1201)  # of images; the limit of PDF documents is checked when one is read
_POLL_SECONDS = 0.1  # between checks whether the job was cancelled
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_FINAL = (BadDocument, BadChoice, TooLarge, PasswordNeeded, PasswordWrong)  # a retry cannot succeed


class _Phase(Protocol):
    @property
    def model(self) -> str: ...

    @property
    def use_rag(self) -> bool: ...

    @property
    def parameters(self) -> Mapping[str, str]: ...


class _Work(Protocol):
    @property
    def metadata(self) -> Mapping[str, str]: ...

    @property
    def cancelled(self) -> threading.Event: ...

    @property
    def phase(self) -> _Phase: ...

    def read_document(self) -> tuple[bytes, str]: ...

    def log(self, level: int, message: str) -> None: ...


class NotRead(Exception):
    """A document could not be read, and never can be if `final`; `message` is for the job's owner."""

    def __init__(self, message: str, *, final: bool, cost: float = 0.0) -> None:
        super().__init__(message)
        self.message, self.final, self.cost = message, final, cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """The text of a document; `score` is the engine's confidence, 0..1."""

    text: str
    score: float
    cost: float


class OcrTask:
    """The task type ocr.extract, which reads with its own worker process, in the thread that runs items."""

    name = _NAME
    description = (
        "Reads PDF documents and images, given as a path, a data URI, or blob: and an id. Form feeds separate pages."
        " Parameters: languages, dpi, force, min_text_threshold, keep_invisible_text, password (an item's metadata may"
        " override the password). The score is the mean confidence."
    )
    scored = True
    takes = "document"
    timeout: float | None = None

    def __init__(self, settings: OcrSettings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._service: OcrService | None = None

    def check(self, phase: _Phase) -> list[tuple[str, str]]:
        found = [("use_rag", "ocr.extract does not retrieve passages")] if phase.use_rag else []
        if phase.model:
            found.append(("model", "must be empty: ocr.extract has no models"))
        for name, value in phase.parameters.items():
            kind = _KINDS.get(name)
            if kind is None:
                text = f"ocr.extract has no such parameter; expected one of {', '.join(_KINDS)}"
                found.append((f"parameters.{name}", text))
                continue
            try:
                kind(value)
            except ValueError as error:
                found.append((f"parameters.{name}", str(error)))
        found.extend(self._check_languages(phase.parameters.get("languages", "")))
        return found

    def run(self, work: _Work) -> Extract:
        data, content_type = work.read_document()
        try:
            return self._in_loop(self._read_unless_cancelled(data, content_type, work))
        except OcrError as error:
            if isinstance(error, Unexpected):
                _log.error("internal error while reading a document: %s", error.message)
                raise NotRead("internal error while reading the document", final=False) from error
            raise NotRead(error.message, final=isinstance(error, _FINAL)) from error

    def close(self) -> None:
        """End the worker process and close the event loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            loop.run_until_complete(self._stop())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    def _in_loop(self, work: Coroutine[Any, Any, Extract]) -> Extract:
        # The loop does not run between items; the next one notices if the worker process has ended meanwhile.
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(work)

    async def _read_unless_cancelled(self, data: bytes, content_type: str, work: _Work) -> Extract:
        reading = asyncio.ensure_future(self._read(data, content_type, work))
        try:
            while not work.cancelled.is_set():
                done, _ = await asyncio.wait({reading}, timeout=_POLL_SECONDS)
                if done:
                    return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})
        raise NotRead("the job was cancelled", final=False)

    async def _read(self, data: bytes, content_type: str, work: _Work) -> Extract:
        service = await self._start()
        choices = _choices(work)
        from . import sniff

        if not sniff.media_type(data).startswith("image/"):
            return await self._read_pdf(service, data, choices, work)
        # Without the media type of the data URI or blob, which may be wrong; the type is detected from the bytes.
        image = await service.reader.image(data, "", choices)
        frames = image.text.count("\f") + 1
        return Extract(text=_clean(image.text), score=image.confidence, cost=frames * self._settings.cost_per_page)

    async def _read_pdf(self, service: OcrService, data: bytes, choices: Choices, work: _Work) -> Extract:
        from .engine import weigh
        from .routing import Method

        texts: list[tuple[str, float]] = []
        read = 0
        async with aclosing(service.reader.pages(data, choices)) as pages:
            async for page in pages:
                texts.append((page.text, page.confidence or 0.0))
                read += page.decision.method is Method.OCR
        work.log(logging.INFO, f"{len(texts)} pages, {read} of them by OCR")
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


def _choices(work: _Work) -> Choices:
    from .engine import Choices

    asked = work.phase.parameters
    return Choices(
        languages=_languages(asked.get("languages", "")),
        dpi=_dpi(asked["dpi"]) if "dpi" in asked else None,
        force=_truth(asked.get("force", "false")),
        threshold=_threshold(asked["min_text_threshold"]) if "min_text_threshold" in asked else None,
        password=work.metadata.get("password") or asked.get("password") or None,
        keep_invisible=_truth(asked.get("keep_invisible_text", "false")),
    )


def _languages(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").replace("+", " ").split())


def _dpi(text: str) -> int:
    if not text.isdecimal() or int(text[:9]) not in _DPI:
        raise ValueError(f"must be a whole number from {_DPI[0]} to {_DPI[-1]}, not {text[:64]!r}")
    return int(text)


def _threshold(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"must be a number of characters, not {text[:64]!r}")
    return int(text)


def _truth(text: str) -> bool:
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"must be true or false, not {text[:64]!r}") from None


_KINDS: dict[str, Any] = {
    "languages": _languages,
    "dpi": _dpi,
    "force": _truth,
    "min_text_threshold": _threshold,
    "keep_invisible_text": _truth,
    "password": str,
}


def _clean(text: str) -> str:
    """Remove NUL characters, which text layers may contain and PostgreSQL refuses."""
    return text.replace("\0", "")


def create(tasks: Mapping[str, Any]) -> OcrTask:
    """Returns the ocr.extract task with the settings from its table. Raises ValueError for invalid settings."""
    from .settings import OcrSettings

    values: dict[str, Any] = {"workers": 1}  # each of the job's workers reads one document at a time
    # The table may be named ocr.extract without quotes in TOML, "ocr.extract" with them, or OCR_EXTRACT in a variable.
    for found in (tasks.get("ocr", {}).get("extract", {}), tasks.get(_NAME, {}), tasks.get("ocr_extract", {})):
        values |= found
    return OcrTask(read_table(values, _PLACE, OcrSettings))
