"""Finds the pages of a part of a passage whose chunk goes over a page break."""

from __future__ import annotations

from bisect import bisect_right

from .store import Store
from .values import Passage, Span


async def place(store: Store, passage: Passage, start: int, end: int) -> Span:
    """Returns the span of the characters `start` to `end` of a passage's document, which are in the passage.

    If the document was replaced since, the pages are those of the whole passage.
    """
    span = passage.chunk.span
    if span.page == span.last_page:
        return Span(start, end, span.page, span.last_page)
    held = await store.document(await store.collection(passage.collection), passage.document)
    source = await store.manuscript(held.version)
    if source is None or source.text[span.start : span.end] != passage.chunk.text or not source.pages:
        return Span(start, end, span.page, span.last_page)
    starts = [first for _, first in source.pages]

    def page_of(character: int) -> int:
        return source.pages[max(bisect_right(starts, character) - 1, 0)][0]

    return Span(start, end, page_of(start), page_of(max(end - 1, start)))
