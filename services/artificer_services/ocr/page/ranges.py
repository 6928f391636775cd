"""The pages that a request asks for.

Grammar: `pages = part *("," part)`, `part = number / number "-" [number] / "-" number`; numbers count from 1. White
space is ignored. Parts may overlap and come in any order; pages keep the order of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import BadChoice

_MOST_CHARS = 10_000
_PART = re.compile(r"(?P<first>[0-9]{1,9})|(?P<from>[0-9]{0,9})-(?P<to>[0-9]{0,9})")
_FORM = 'expected numbers and ranges such as "1-3,7,10-"'


class Span(NamedTuple):
    """The pages from `first` to `last`, counted from 1; `last` is None if it is the last of the document."""

    first: int
    last: int | None


def parse_pages(text: str) -> tuple[Span, ...]:
    """Returns the spans that a text names, sorted and merged; none if it is empty, which means all pages.

    Raises BadChoice.
    """
    if not text.strip():
        return ()
    if len(text) > _MOST_CHARS:
        raise BadChoice(f"the choice of pages has more than {_MOST_CHARS:,} characters", "pages")
    return _merged(sorted((_span(part) for part in text.split(",")), key=lambda span: span.first))


def select_pages(spans: Sequence[Span], total: int, what: str = "document") -> list[range]:
    """Returns the indexes, counted from 0, of the pages in the spans. Raises BadChoice if the document is shorter."""
    if not spans:
        return [range(total)]
    for first, last in spans:
        beyond = max(first, last or 0)
        if beyond > total:
            raise BadChoice(f"there is no page {beyond}: the {what} has {total:,} pages", "pages")
    return [range(first - 1, total if last is None else last) for first, last in spans]


def _span(part: str) -> Span:
    found = _PART.fullmatch("".join(part.split()))
    if found is None or part.strip() == "-":
        raise BadChoice(f"cannot read {part.strip()[:40]!r} as pages; {_FORM}", "pages")
    if found["first"]:
        span = Span(int(found["first"]), int(found["first"]))
    else:
        span = Span(int(found["from"] or 1), int(found["to"]) if found["to"] else None)
    if span.first < 1:
        raise BadChoice("page numbers count from 1", "pages")
    if span.last is not None and span.last < span.first:
        raise BadChoice(f"the range {part.strip()!r} ends before it begins", "pages")
    return span


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    return tuple(_joined(iter(spans)))


def _joined(spans: Iterator[Span]) -> Iterator[Span]:
    now = next(spans)
    for span in spans:
        if now.last is None:
            break
        if span.first <= now.last + 1:
            now = Span(now.first, None if span.last is None else max(now.last, span.last))
        else:
            yield now
            now = span
    yield now
