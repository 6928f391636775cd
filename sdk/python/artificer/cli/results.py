"""Writes the results of a job as JSON lines or CSV; an output file appears complete or not at all.

Knows no terminal.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..types.batch import ItemStatus, Result
from . import files
from .json_form import as_json
from .session import Session

_PAGE = 1000  # the server's maximum page size
_COLUMNS = ("item_index", "name", "status", "error", "attempts", "input", "output", "metadata")

Write = Callable[[TextIO, Iterable[Result]], None]


def read(session: Session, job_id: str, states: Sequence[ItemStatus]) -> Iterator[Result]:
    """Yields the items in these states, in item order. Raises Failed.

    Reads pages rather than the stream of results, since a page can be requested again after a broken connection.
    """
    yield from session.elements(session.client.batch.results.list(job_id, page_size=_PAGE, status=states))


def as_lines(out: TextIO, results: Iterable[Result]) -> None:
    """Write one JSON object per line, as REST returns it."""
    for result in results:
        out.write(as_json(result) + "\n")


def as_csv(out: TextIO, results: Iterable[Result]) -> None:
    """Write one row per item. Only the JSON lines have the outputs of intermediate phases, and every text as it is."""
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for result in results:
        status = result.status.name
        metadata = dict(sorted(result.metadata.items()))
        writer.writerow(
            (
                result.item_index,
                _cell(metadata.pop("name", "")),
                status,
                _cell(result.error),
                result.attempts,
                _cell(result.input),
                _cell(result.output),
                json.dumps(metadata, ensure_ascii=False) if metadata else "",
            )
        )


# What makes a spreadsheet read a cell as a formula (OWASP, "CSV Injection"), in full width too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def _cell(text: str) -> str:
    """Returns a text that a spreadsheet shows and does not compute: an apostrophe says so, and is not shown."""
    return f"'{text}" if text.startswith(_FORMULA) else text


@contextmanager
def destination(path: Path | None) -> Iterator[TextIO]:
    """Open the destination `path` for text."""
    with files.destination(path) as raw:
        # Without newline translation: the csv module and `as_lines` write their own line ends.
        out = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        try:
            yield out
        finally:
            out.detach()  # flushes, and leaves it open
