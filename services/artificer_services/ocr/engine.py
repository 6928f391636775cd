"""Reads the text of documents and images, choosing the method for each page.

Plain Python without protos or gRPC. Clients' bytes are only parsed in the pool's worker processes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..kit.workers.document import Document
from ..kit.workers.pool import WorkerPool
from . import errors, sniff
from .choices import Choices
from .document_pages import Attempts, DocumentPages, never, one_batch, unless_all_failed
from .page.ranges import parse_pages, select_pages
from .page.reading import Page
from .page.routing import Decision, Method, Reason
from .recognition.languages import Languages
from .searchable import SearchableFile, pieces
from .settings import OcrSettings
from .workers.order import in_order

__all__ = ["PROTECTED", "Choices", "DocumentReader", "ImageText", "Page", "weigh"]

_PDF_DPI = range(50, 601)
_IMAGE_DPI = range(50, 1201)
_MAX_PASSWORD = 1024  # characters; PDF passwords have at most 127 bytes (ISO 32000-2, 7.6.4)
_MAX_WORDS = 1_000_000  # with places, each of which takes half a kilobyte until it is printed; a full page has 500
_GROWTH = 4  # of a searchable document: of text little, but pictures of some formats are decoded
PROTECTED = "the PDF document has a password; text can only be added to documents that open without one"
_UNREAD = Decision(Method.OCR, Reason.IMAGE, usable=False)


@dataclass(frozen=True, slots=True)
class ImageText:
    """The frames of an image, and the engine that read them."""

    pages: tuple[Page, ...]
    model: str

    @property
    def text(self) -> str:
        """The text of all frames, with form feeds between them."""
        return "\f".join(page.text for page in self.pages)

    @property
    def confidence(self) -> float:
        """The mean confidence, 0..1, weighted by words."""
        return weigh([(page.text, page.confidence or 0.0) for page in self.pages])


class DocumentReader:
    """Reads documents with a pool of workers. Every method raises OcrError and stops its work when cancelled."""

    def __init__(self, pool: WorkerPool, settings: OcrSettings, languages: Languages, provider: str) -> None:
        self.provider = provider
        self._pool = pool
        self._settings = settings
        self._languages = languages
        self._admitted = 0
        self.max_text = settings.max_text_chars

    async def pages(self, data: bytes, choices: Choices) -> AsyncGenerator[Page, None]:
        """Yields the pages of a PDF document in order, each as soon as it and all pages before it are read.

        Reads a limited number of pages ahead of the consumer.
        """
        ocr = self._check_pdf(data, choices)
        with self._admit():
            async with self._stored(data) as document, aclosing(self._read(document, choices, ocr)) as pages:
                async for page in pages:
                    yield page

    async def look(self, data: bytes, choices: Choices) -> list[Page]:
        """Returns how each page of a PDF document would be read. Inspects each page once and never runs OCR."""
        ocr = self._check_pdf(data, choices)
        with self._admit():
            async with self._stored(data) as document:
                pages = DocumentPages(self._pool, document, choices, ocr)
                async with (
                    aclosing(pages.looks(text=False)) as batches,
                    aclosing(unless_all_failed(_flat(batches))) as looks,
                ):
                    return [page async for page in looks]

    async def count(self, data: bytes) -> int:
        """Returns the number of pages of a PDF document, of which some may be damaged."""
        choices = Choices()
        ocr = self._check_pdf(data, choices)
        with self._admit():
            async with self._stored(data) as document:
                return await DocumentPages(self._pool, document, choices, ocr).count()

    async def image(self, data: bytes, content_type: str, choices: Choices) -> ImageText:
        """Read an image; `content_type` may be empty."""
        ocr = self._check_image(data, content_type, choices)
        with self._admit():
            async with self._stored(data) as document, aclosing(self._read_frames(document, choices, ocr)) as frames:
                pages = tuple([frame async for frame in frames])
        return ImageText(pages, f"tesseract-{self._version()}/{'+'.join(ocr['languages'])}")

    async def either(self, data: bytes, choices: Choices) -> AsyncGenerator[Page, None]:
        """Yields the pages of a PDF document or the frames of an image."""
        sniff.check_either(data)
        if not sniff.is_image(data):
            async with aclosing(self.pages(data, choices)) as pages:
                async for page in pages:
                    yield page
        else:
            for page in (await self.image(data, "", choices)).pages:
                yield page

    async def searchable(self, data: bytes, choices: Choices) -> AsyncGenerator[bytes, None]:
        """Yields a PDF document with the text that OCR finds in a PDF document or an image, in pieces."""
        sniff.check_either(data)
        image = sniff.is_image(data)
        choices = replace(choices, layout=True, only_ocr=True)
        ocr = self._check_image(data, "", choices) if image else self._check_pdf(data, choices)
        with self._admit(), closing(SearchableFile()) as file:
            async with self._stored(data) as document:
                signed = not image and await self._is_signed(document)
                reading = (self._read_frames if image else self._read)(document, choices, ocr)
                async with aclosing(reading) as pages:
                    async for page in pages:
                        if await file.add(page) and signed:
                            raise errors.Signed(
                                "the PDF document is signed, and adding text would break the signature", "data"
                            )
                changed = image or file.has_layers
                if changed:
                    task = {
                        "do": "make_searchable",
                        "image": image,
                        "dpi": choices.dpi,
                        "limit": self._settings.max_document_bytes * _GROWTH,
                    }
                    await self._pool.run(document, task, "the document", file.fd)
            for piece in file.pieces() if changed else pieces(data):
                yield piece

    async def _is_signed(self, document: Document) -> bool:
        """Whether a document is signed. Raises PasswordNeeded if it has a password."""
        answer = await self._pool.run(document, {"do": "check_searchable"}, "the document")
        return bool(answer["signed"])

    async def _read(self, document: Document, choices: Choices, ocr: dict[str, Any]) -> AsyncGenerator[Page, None]:
        pages = DocumentPages(self._pool, document, choices, ocr)
        total = words = 0
        async with (
            aclosing(pages.looks(text=True)) as looks,
            aclosing(in_order(looks, pages.read, pages.is_read, width=2 * self._pool.size)) as readings,
            aclosing(unless_all_failed(readings)) as read,
        ):
            async for page in read:
                total += len(page.text)
                if total > self._settings.max_text_chars:
                    raise errors.TooLarge(
                        f"the document has more than {self._settings.max_text_chars:,} characters", "data"
                    )
                words += page.layout.word_count if page.layout else 0
                if words > _MAX_WORDS:
                    raise errors.TooLarge(
                        f"the document has more than {_MAX_WORDS:,} words; ask for plain text or for fewer pages",
                        "data",
                    )
                yield page

    async def _read_frames(
        self, document: Document, choices: Choices, ocr: dict[str, Any]
    ) -> AsyncGenerator[Page, None]:
        spans = parse_pages(choices.pages)
        attempts = Attempts(self._pool, document)
        opened = await attempts.run({"do": "open_image"}, "the image")
        count = int(opened["pages"])
        chosen = select_pages(spans, count, "image")

        async def read(index: int) -> Page:
            task = {"do": "read_image", "page": index, "ocr": ocr, "layout": choices.layout}
            unread = Page(number=index + 1, of=count, decision=_UNREAD)
            return await attempts.read(unread, task, f"frame {index + 1} of the image")

        batches = one_batch([index for span in chosen for index in span])
        async with (
            aclosing(in_order(batches, read, never, width=2 * self._pool.size)) as readings,
            aclosing(unless_all_failed(readings)) as frames,
        ):
            async for frame in frames:
                yield frame

    def _check_image(self, data: bytes, content_type: str, choices: Choices) -> dict[str, Any]:
        sniff.check_image(data, content_type, self._settings.max_document_bytes)
        _check_dpi(choices.dpi, _IMAGE_DPI)
        return self._choose(choices)

    def _check_pdf(self, data: bytes, choices: Choices) -> dict[str, Any]:
        sniff.check_pdf(data, self._settings.max_document_bytes)
        _check_dpi(choices.dpi, _PDF_DPI)
        if choices.threshold is not None and choices.threshold < 0:
            raise errors.BadChoice(
                f"the threshold must not be negative, but is {choices.threshold}", "min_text_threshold"
            )
        if choices.password and len(choices.password) > _MAX_PASSWORD:
            raise errors.PasswordWrong("the password is longer than PDF allows", "password")
        return self._choose(choices)

    def _choose(self, choices: Choices) -> dict[str, Any]:
        """Returns the fields of the workers' `OcrRules`."""
        languages = self._languages.choose(choices.languages or self._settings.languages)
        return {"languages": languages, "dpi": choices.dpi}

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


async def _flat(batches: AsyncIterator[list[Page]]) -> AsyncGenerator[Page, None]:
    async for batch in batches:
        for page in batch:
            yield page


def _check_dpi(dpi: int | None, allowed: range) -> None:
    if dpi is not None and dpi not in allowed:
        raise errors.BadChoice(f"the resolution must be from {allowed[0]} to {allowed[-1]} dpi, not {dpi}", "dpi")
