"""Reads the text of documents and images, choosing the method for each page.

Plain Python without protos or gRPC. Clients' bytes are only parsed in the pool's worker processes.
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
from .routing import DEFAULT_THRESHOLD, Decision, Method, PageContent, decide
from .settings import OcrSettings

T = TypeVar("T")

_PDF_DPI = range(50, 601)
_IMAGE_DPI = range(50, 1201)
_MAX_PASSWORD = 1024  # characters; PDF passwords have at most 127 bytes (ISO 32000-2, 7.6.4)
_FIRST_BATCH, _BATCH = 4, 32  # pages per inspection task; the first is small, so that reading starts early


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The options of a request; None means the server's default."""

    languages: tuple[str, ...] = ()
    dpi: int | None = None
    force: bool = False
    threshold: int | None = None  # visible characters
    password: str | None = None
    keep_invisible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page, read or only inspected. `number` counts from 1; `confidence` is 0..1, or None if it was not read."""

    number: int
    of: int
    text: str
    confidence: float | None
    decision: Decision
    text_length: int  # visible characters of its own text layer
    invisible: bool  # whether it has the invisible text of an earlier OCR run


@dataclass(frozen=True, slots=True)
class ImageText:
    """The text of an image, with form feeds between frames and a confidence of 0..1."""

    text: str
    confidence: float
    model: str


class DocumentReader:
    """Reads documents with a pool of workers. Every method raises OcrError and stops its work when cancelled."""

    def __init__(self, pool: WorkerPool, settings: OcrSettings, languages: Languages, provider: str) -> None:
        self.provider = provider
        self._pool = pool
        self._settings = settings
        self._languages = languages
        self._admitted = 0

    async def pages(self, data: bytes, choices: Choices) -> AsyncGenerator[Page, None]:
        """Yields the pages of a PDF document in order, each as soon as it and all pages before it are read.

        Reads a limited number of pages ahead of the consumer.
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
        """Returns how each page of a PDF document would be read. Inspects each page once and never runs OCR."""
        self._check_pdf(data, choices)
        with self._admit():
            async with (
                self._stored(data) as document,
                aclosing(self._look(document, choices, text=False)) as batches,
            ):
                return [page async for batch in batches for page in batch]

    async def image(self, data: bytes, content_type: str, choices: Choices) -> ImageText:
        """Read an image; `content_type` may be empty."""
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
        """Inspect all pages in batches: a small one first, so that reading starts early, then several in parallel."""

        async def look(span: range) -> list[Page]:
            pages: list[Page] = []
            while len(pages) < len(span):  # a worker returns early from a slow batch
                rest = span[len(pages) :]
                task = {"do": "look", "first": rest[0], "count": len(rest), "text": text, "password": choices.password}
                answer = await self._pool.run(document, task, f"page {rest[0] + 1}")
                if not answer["contents"]:
                    raise errors.Unexpected(f"a worker returned no pages from page {rest[0] + 1} on")
                total = _count(answer)
                span = span[: total - span[0]]
                for number, fields in enumerate(answer["contents"], rest[0] + 1):
                    pages.append(self._decide(number, total, PageContent(**fields), choices, read=text))
            return pages

        first = await look(range(_FIRST_BATCH))
        yield first
        total = first[0].of
        spans = [range(start, min(start + _BATCH, total)) for start in range(len(first), total, _BATCH)]
        async with aclosing(in_order(_one_batch(spans), look, _never, width=self._pool.size)) as batches:
            async for batch in batches:
                yield batch

    def _decide(self, number: int, total: int, content: PageContent, choices: Choices, *, read: bool) -> Page:
        threshold = DEFAULT_THRESHOLD if choices.threshold is None else choices.threshold
        decision = decide(content, threshold=threshold, force=choices.force, keep=choices.keep_invisible)
        if decision.method is Method.OCR and content.image_pixels > self._settings.max_page_pixels:
            limit = f"{self._settings.max_page_pixels:,}"
            raise errors.TooLarge(f"a picture on page {number} has more than {limit} pixels, the limit", "data")
        return _page(number, total, content, decision, read=read)

    def _check_pdf(self, data: bytes, choices: Choices) -> tuple[str, str]:
        sniff.check_pdf(data, self._settings.max_document_bytes)
        _check_dpi(choices.dpi, _PDF_DPI)
        if choices.threshold is not None and choices.threshold < 0:
            raise errors.BadChoice(
                f"the threshold must not be negative, but is {choices.threshold}", "min_text_threshold"
            )
        if choices.password and len(choices.password) > _MAX_PASSWORD:
            raise errors.PasswordWrong("the password is longer than PDF allows", "password")
        return self._choose(choices)

    def _choose(self, choices: Choices) -> tuple[str, str]:
        return self._languages.choose(choices.languages or self._settings.languages)

    def _version(self) -> str:
        return next((str(worker.greeting.get("version")) for worker in self._pool.workers), "unknown")

    @contextmanager
    def _admit(self) -> Iterator[None]:
        if self._admitted >= self._settings.max_requests:
            raise errors.Busy(f"the server is busy with {self._admitted} documents; try again later")
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
    """Returns the mean confidence of texts, weighted by their word counts; 0 if there are no words."""
    weights = [len(text.split()) for text, _ in readings]
    total = sum(weights)
    if not total:
        return 0.0
    mean = sum(weight * confidence for weight, (_, confidence) in zip(weights, readings, strict=True)) / total
    return round(mean, 4)


def _page(number: int, total: int, content: PageContent, decision: Decision, *, read: bool) -> Page:
    return Page(
        number=number,
        of=total,
        text=content.text.strip() if decision.method is Method.DIRECT else "",
        confidence=1.0 if read and decision.method is Method.DIRECT else None,
        decision=decision,
        text_length=content.chars,
        invisible=content.invisible > 0,
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
