"""The pages of one document on the pool's workers: inspected in batches, read one by one.

Owns what happens to a page that cannot be read. Such a page never fails the others, but it may cost a worker, and a
document of a thousand such pages must not occupy the pool for hours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from ..kit.workers import wire
from ..kit.workers.document import Document
from ..kit.workers.errors import from_wire
from ..kit.workers.pool import WorkerPool
from . import errors
from .choices import Choices
from .page.ranges import parse_pages, select_pages
from .page.reading import Page, PageReading
from .page.routing import DEFAULT_THRESHOLD, Method, Reason
from .workers.answers import unpack_reading
from .workers.order import in_order

T = TypeVar("T")

_FIRST_BATCH, _BATCH = 4, 32  # pages per inspection task; the first is small, so that reading starts early
_MAX_LOST = 4  # workers that one document may cost before its other pages are given up
_LOST = (errors.PageTimeout, errors.WorkerDied, errors.TooSlow)
_FROM_OCR = (Reason.INVISIBLE_TEXT, Reason.INVISIBLE_TEXT_KEPT)
_OF_THE_CALL = (errors.Unavailable, errors.Busy)  # they say nothing about a page


class Attempts:
    """Reads pages of one document, and counts the workers that it costs."""

    def __init__(self, pool: WorkerPool, document: Document) -> None:
        self._pool = pool
        self._document = document
        self._lost = 0

    async def run(self, task: wire.Frame, what: str) -> wire.Frame:
        """Run a task on the document. Raises OcrError."""
        try:
            return await self._pool.run(self._document, task, what)
        except _LOST:
            self._lost += 1
            raise

    async def read(self, page: Page, task: wire.Frame, what: str) -> Page:
        """Returns the page as the task reads it, or with the error if it cannot be read."""
        try:
            self.check()
            answer = await self.run(task, what)
            # In a thread, since a page may have a hundred thousand words, which take a second.
            reading = await asyncio.to_thread(_unpack, answer) if answer.get("layout") else _unpack(answer)
            return Page.made(page.number, page.of, reading)
        except _OF_THE_CALL:
            raise
        except errors.OcrError as error:
            if page.text:  # of the text layer, which is better than nothing
                return replace(page, error=error, decision=replace(page.decision, method=Method.DIRECT, regions=()))
            failed = Page.failed(page.number, page.of, error)
            return replace(failed, text_length=page.text_length, invisible=page.invisible)

    def check(self) -> None:
        """Raise TooLarge if the document has cost too many workers."""
        if self._lost > _MAX_LOST:
            raise errors.TooLarge(
                f"{self._lost} other pages of the document needed more than the server allows", "data"
            )


class DocumentPages:
    """The pages of a PDF document that are asked for. `ocr` is how OCR reads: the fields of `OcrRules`."""

    def __init__(self, pool: WorkerPool, document: Document, choices: Choices, ocr: dict[str, Any]) -> None:
        self._attempts = Attempts(pool, document)
        self._width = pool.size
        self._spans = parse_pages(choices.pages)
        self._layout = choices.layout and not choices.only_ocr
        self._redo = choices.redo
        rules = {
            "threshold": DEFAULT_THRESHOLD if choices.threshold is None else choices.threshold,
            "force": choices.force,
            "keep": choices.keep_invisible,
        }
        self._opening: wire.Frame = {"password": choices.password, "rules": rules}
        self._reading = self._opening | {
            "do": "read_page",
            "ocr": ocr,
            "layout": choices.layout,
            "only_ocr": choices.only_ocr,
        }

    async def count(self) -> int:
        """Returns the number of the document's pages."""
        return _count(await self._attempts.run(self._opening | {"do": "count"}, "the document"))

    async def looks(self, *, text: bool) -> AsyncGenerator[list[Page], None]:
        """Inspect the pages in batches: a small one first, so that reading starts early, then several in parallel.

        Raises BadChoice if a page is asked for that the document does not have.
        """

        async def look(span: range) -> list[Page]:
            return await self._look(span, text=text)

        if self._spans:
            total = await self.count()
            chosen = select_pages(self._spans, total)
            start = chosen[0][:_FIRST_BATCH]
            chosen[0] = chosen[0][_FIRST_BATCH:]
            yield await look(start)
        else:
            first = await look(range(_FIRST_BATCH))
            yield first
            chosen = [range(len(first), first[0].of)]
        spans = [span[start : start + _BATCH] for span in chosen for start in range(0, len(span), _BATCH)]
        async with aclosing(in_order(one_batch(spans), look, never, width=self._width)) as batches:
            async for batch in batches:
                yield batch

    async def read(self, page: Page) -> Page:
        """Read an inspected page if its inspection has not done so already."""
        if self.is_read(page):
            return page
        task = self._reading | {"page": page.number - 1}
        if self._is_redone(page):
            task |= {"rules": task["rules"] | {"force": True}}
        read = await self._attempts.read(page, task, f"page {page.number}")
        if read.error is None or not read.text or not self._layout:
            return read
        # The layer is returned with the error, and so are the places of its words.
        task |= {"rules": {"threshold": 0, "force": False, "keep": True}}  # by which no usable layer is replaced
        layer = await self._attempts.read(page, task, f"page {page.number}")
        return replace(read, layout=layer.layout)

    def is_read(self, page: Page) -> bool:
        """Whether an inspected page has all that is asked for."""
        if page.error is not None or self._is_redone(page):
            return page.error is not None
        decision = page.decision
        return decision.method is Method.DIRECT and decision.settled and not self._layout

    def _is_redone(self, page: Page) -> bool:
        return self._redo and page.decision.reason in _FROM_OCR

    async def _look(self, span: range, *, text: bool) -> list[Page]:
        try:
            return await self._look_together(span, text=text)
        except _LOST:
            # One page of the batch cost the worker, and the others are inspected alone. That needs the number of
            # pages, which the first batch has not told; a document that cannot even be opened fails here.
            total = await self.count()
            return [await self._look_alone(index, total, text=text) for index in span if index < total]

    async def _look_together(self, span: range, *, text: bool) -> list[Page]:
        pages: list[Page] = []
        while len(pages) < len(span):  # a worker returns early from a slow batch
            rest = span[len(pages) :]
            task = self._opening | {"do": "look", "first": rest[0], "count": len(rest), "text": text}
            answer = await self._attempts.run(task, f"page {rest[0] + 1}")
            if not answer["looks"]:
                raise errors.Unexpected(f"a worker returned no pages from page {rest[0] + 1} on")
            total = _count(answer)
            span = span[: total - span[0]]
            pages += [_looked(number, total, look) for number, look in enumerate(answer["looks"], rest[0] + 1)]
        return pages

    async def _look_alone(self, index: int, total: int, *, text: bool) -> Page:
        try:
            self._attempts.check()
            (page,) = await self._look_together(range(index, index + 1), text=text)
        except _OF_THE_CALL:
            raise
        except errors.OcrError as error:
            return Page.failed(index + 1, total, error)
        return page


async def unless_all_failed(pages: AsyncIterator[Page]) -> AsyncGenerator[Page, None]:
    """Yields the pages of a document. Raises the error of the first page if none could be read."""
    failed: list[Page] = []
    read = False
    async for page in pages:
        read = read or page.error is None or bool(page.text)
        if not read:
            failed.append(page)
            continue
        for earlier in failed:
            yield earlier
        failed.clear()
        yield page
    if failed and failed[0].error is not None:
        raise failed[0].error


async def one_batch(items: list[T]) -> AsyncIterator[list[T]]:
    """Yields all items as one batch for `in_order`."""
    yield items


def never(_: object) -> bool:
    return False


def _looked(number: int, total: int, look: dict[str, Any]) -> Page:
    if "error" in look:
        return Page.failed(number, total, from_wire(look["error"]))
    return Page.made(number, total, _unpack(look))


def _unpack(answer: wire.Frame) -> PageReading:
    try:
        return unpack_reading(answer)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise errors.Unexpected(f"a worker sent a page that is none: {error!r}") from error


def _count(answer: wire.Frame) -> int:
    return int(answer["pages"])
