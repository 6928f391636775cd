"""Writes the results of a job as JSON lines or CSV; an output file appears complete or not at all.

Knows no terminal.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from artificer.batch.v1 import batch_service_pb2 as pb

from .link import Link
from .show import as_json

_PAGE = 1000  # the server's maximum page size
_COLUMNS = ("item_index", "name", "status", "error", "attempts", "input", "output", "metadata")

Write = Callable[[TextIO, Iterable[pb.Result]], None]


def read(link: Link, job_id: str, states: Sequence[pb.ItemStatus.ValueType]) -> Iterator[pb.Result]:
    """Yields the items in these states, in item order. Raises Failed.

    Reads pages rather than the stream of results, since a page can be requested again after a broken connection.
    """
    request = pb.GetResultsRequest(job_id=job_id, page_size=_PAGE, status=states)
    while True:
        page = link.ask(link.batch.GetResults, request)
        yield from page.results
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def as_lines(out: TextIO, results: Iterable[pb.Result]) -> None:
    """Write one JSON object per line, as REST returns it."""
    for result in results:
        out.write(as_json(result) + "\n")


def as_csv(out: TextIO, results: Iterable[pb.Result]) -> None:
    """Write one row per item. Only the JSON lines have the outputs of intermediate phases, and every text as it is."""
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for result in results:
        status = pb.ItemStatus.Name(result.status).removeprefix("ITEM_STATUS_")
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
    """Open standard output, or a temporary file that replaces `path` once everything is written."""
    if path is None:
        # Without newline translation: the csv module and `as_lines` write their own line ends.
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
            yield out
        return
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as out:
            yield out
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
