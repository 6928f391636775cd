"""The work: the text of documents and images, by whichever way suits each page.

Plain Python for the servicer and for anyone else; no proto, no gRPC. Everything that parses a client's bytes happens
in the pool's processes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from . import errors, sniff, wire
from .document import Document
from .languages import Languages
from .order import in_order
from .pool import WorkerPool
from .routing import DEFAULT_THRESHOLD, Decision, Method, Sight, decide
from .settings import OcrSettings

T = TypeVar("T")

_PDF_DPI = range(50, 601)
_IMAGE_DPI = range(50, 1201)
_MAX_PASSWORD = 1024  # characters; the format knows 127 bytes
_FIRST_BATCH, _BATCH = 4, 32  # pages looked at in one go: few at first, so that reading starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a client may choose; None stands for the server's default."""

    languages: tuple[str, ...] = ()
    dpi: int | None = None
    force: bool = False
    threshold: int | None = None  # visible characters
    password: str | None = None
    keep_invisible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page, read or only looked at. `number` counts from 1; `confidence` is 0..1, None where it was not read."""

    number: int
    of: int
    text: str
    confidence: float | None
    decision: Decision
    text_length: int  # visible characters of its own text layer
    invisible: bool  # whether an earlier OCR run left its text on it


@dataclass(frozen=True, slots=True)
class ImageText:
    """The text of an image, its frames separated by form feeds, with a confidence of 0..1."""

    text: str
    confidence: float
    model: str


class Reader:
    """Reads documents with a pool of workers. Every method raises OcrError, and stops its work when cancelled."""

    def __init__(self, pool: WorkerPool, settings: OcrSettings, languages: Languages, provider: str) -> None:
        self.provider = provider
        self._pool = pool
        self._settings = settings
        self._languages = languages
        self._admitted = 0

    async def pages(self, data: bytes, choices: Choices) -> AsyncGenerator[Page, None]:
        """Read a PDF document: its pages in order, each as soon as it and those before it are done.

        Reads ahead of whoever takes the pages by a bounded number.
        """
        folder, languages = self._check_pdf(data, choices)
        reading = {"do": "read_page", "folder": folder, "languages": languages, "dpi": choices.dpi}
        with self._admit():
            async with self._stored(data) as document:

                async def read(page: Page) -> Page:
                    if page.decision.method is Method.DIRECT:
                        return page
                    task = reading | {"page": page.number - 1, "password": choices.password}
                    text, confidence = _reading(await self._pool.run(document, task, f"page {page.number}"))
                    return _replace(page, text, confidence)

                async with (
                    aclosing(self._look(document, choices, text=True)) as looks,
                    aclosing(in_order(looks, read, _is_direct, width=2 * self._pool.size)) as pages,
                ):
                    total = 0
                    async for page in pages:
                        total += len(page.text)
                        if total > self._settings.max_text_chars:
                            raise errors.TooLarge(
                                f"the document has more than {self._settings.max_text_chars:,} characters", "data"
                            )
                        yield page

    async def look(self, data: bytes, choices: Choices) -> list[Page]:
        """See how each page of a PDF document would be read. Each page is looked at once; OCR never runs."""
        self._check_pdf(data, choices)
        with self._admit():
            async with (
                self._stored(data) as document,
                aclosing(self._look(document, choices, text=False)) as batches,
            ):
                return [page async for batch in batches for page in batch]

    async def image(self, data: bytes, content_type: str, choices: Choices) -> ImageText:
        """Read an image. `content_type` may be empty."""
        sniff.check_image(data, content_type, self._settings.max_document_bytes)
        _check_dpi(choices.dpi, _IMAGE_DPI)
        folder, languages = self._choose(choices)
        with self._admit():
            async with self._stored(data) as document:
                opened = await self._pool.run(document, {"do": "open_image"}, "the image")

                async def read(index: int) -> tuple[str, float]:
                    task = {"do": "read_image", "page": index, "dpi": choices.dpi}
                    task |= {"folder": folder, "languages": languages}
                    return _reading(await self._pool.run(document, task, f"frame {index + 1} of the image"))

                frames: list[tuple[str, float]] = []
                batches = _one_batch(list(range(_count(opened))))
                async with aclosing(in_order(batches, read, _never, width=2 * self._pool.size)) as readings:
                    frames.extend([frame async for frame in readings])
        return ImageText(
            "\f".join(text for text, _ in frames), weigh(frames), f"tesseract-{self._version()}/{languages}"
        )

    async def _look(self, document: Document, choices: Choices, *, text: bool) -> AsyncGenerator[list[Page], None]:
        """Look at all pages, in batches: a small one first, so that reading starts, then on all workers at once."""

        async def look(span: range) -> list[Page]:
            pages: list[Page] = []
            while len(pages) < len(span):  # a worker gives a batch back early when it takes long
                rest = span[len(pages) :]
                task = {"do": "look", "first": rest[0], "count": len(rest), "text": text, "password": choices.password}
                answer = await self._pool.run(document, task, f"page {rest[0] + 1}")
                if not answer["sights"]:
                    raise errors.Unexpected(f"a worker saw nothing from page {rest[0] + 1} on")
                total = _count(answer)
                span = span[: total - span[0]]
                for number, fields in enumerate(answer["sights"], rest[0] + 1):
                    pages.append(self._decide(number, total, Sight(**fields), choices, read=text))
            return pages

        first = await look(range(_FIRST_BATCH))
        yield first
        total = first[0].of
        spans = [range(start, min(start + _BATCH, total)) for start in range(len(first), total, _BATCH)]
        async with aclosing(in_order(_one_batch(spans), look, _never, width=self._pool.size)) as batches:
            async for batch in batches:
                yield batch

    def _decide(self, number: int, total: int, sight: Sight, choices: Choices, *, read: bool) -> Page:
        threshold = DEFAULT_THRESHOLD if choices.threshold is None else choices.threshold
        decision = decide(sight, threshold=threshold, force=choices.force, keep=choices.keep_invisible)
        if decision.method is Method.OCR and sight.image_pixels > self._settings.max_page_pixels:
            limit = f"{self._settings.max_page_pixels:,}"
            raise errors.TooLarge(f"a picture on page {number} has over {limit} pixels", "data")
        return _page(number, total, sight, decision, read=read)

    def _check_pdf(self, data: bytes, choices: Choices) -> tuple[str, str]:
        sniff.check_pdf(data, self._settings.max_document_bytes)
        _check_dpi(choices.dpi, _PDF_DPI)
        if choices.threshold is not None and choices.threshold < 0:
            raise errors.BadChoice(f"the threshold must not be negative: {choices.threshold}", "min_text_threshold")
        if choices.password and len(choices.password) > _MAX_PASSWORD:
            raise errors.PasswordWrong("the password is longer than any password of a PDF document", "password")
        return self._choose(choices)

    def _choose(self, choices: Choices) -> tuple[str, str]:
        return self._languages.choose(choices.languages or self._settings.languages)

    def _version(self) -> str:
        return next((str(worker.greeting.get("version")) for worker in self._pool.workers), "unknown")

    @contextmanager
    def _admit(self) -> Iterator[None]:
        if self._admitted >= self._settings.max_requests:
            raise errors.Busy(f"{self._admitted} documents are being read; the server admits no more, try again later")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @asynccontextmanager
    async def _stored(self, data: bytes) -> AsyncIterator[Document]:
        self._pool.check()
        document = await Document.store(data)
        try:
            yield document
        finally:
            self._pool.forget(document)
            document.close()


def weigh(readings: list[tuple[str, float]]) -> float:
    """The mean confidence of texts, weighted by their length; 0 where there is no text."""
    weights = [len(text.split()) for text, _ in readings]
    total = sum(weights)
    if not total:
        return 0.0
    mean = sum(weight * confidence for weight, (_, confidence) in zip(weights, readings, strict=True)) / total
    return round(mean, 4)


def _page(number: int, total: int, sight: Sight, decision: Decision, *, read: bool) -> Page:
    return Page(
        number=number,
        of=total,
        text=sight.text.strip() if decision.method is Method.DIRECT else "",
        confidence=1.0 if read and decision.method is Method.DIRECT else None,
        decision=decision,
        text_length=sight.chars,
        invisible=sight.invisible > 0,
    )


def _replace(page: Page, text: str, confidence: float) -> Page:
    return Page(
        number=page.number,
        of=page.of,
        text=text,
        confidence=confidence,
        decision=page.decision,
        text_length=page.text_length,
        invisible=page.invisible,
    )


def _is_direct(page: Page) -> bool:
    return page.decision.method is Method.DIRECT


def _never(_: object) -> bool:
    return False


async def _one_batch(items: list[T]) -> AsyncIterator[list[T]]:
    yield items


def _reading(answer: wire.Frame) -> tuple[str, float]:
    return str(answer["text"]).strip(), round(min(max(float(answer["confidence"]), 0.0), 1.0), 4)


def _count(answer: dict[str, Any]) -> int:
    return int(answer["pages"])


def _check_dpi(dpi: int | None, allowed: range) -> None:
    if dpi is not None and dpi not in allowed:
        raise errors.BadChoice(f"the resolution must be from {allowed[0]} to {allowed[-1]} dpi, not {dpi}", "dpi")
