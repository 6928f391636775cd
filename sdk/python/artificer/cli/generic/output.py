"""Prints what a method returns: lines and tables for people, JSON for programs, bytes for files.

Knows no method. What comes from the server is made safe for a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..._sync.answers import AnswerStream
from ..._sync.downloads import Download
from ..._sync.duplex import Duplex
from ..._sync.pages import Pager
from ..._sync.streams import Stream
from ...types.base import HttpBody
from .. import files
from ..json_form import as_json
from .lines import Events, record, rows
from .plain import plain

_TEXT = ("text/", "application/json", "application/x-ndjson", "application/xml", "application/alto+xml", "image/svg")


class OutputForm(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"


class Printer:
    """Prints results in a form, to standard output or to the file `out`."""

    def __init__(self, form: OutputForm, out: Path | None, limit: int | None) -> None:
        self._form, self._out, self._limit = form, out, limit

    def show(self, value: Any) -> None:
        """Prints a result, and the messages of a stream as they arrive."""
        if isinstance(value, HttpBody):
            self._bytes(iter([value.data]), lambda: value.content_type)
        elif isinstance(value, bytes):
            self._bytes(iter([value]), lambda: "")
        elif isinstance(value, Download):
            with value:
                self._bytes(iter(value), lambda: value.content_type)
        elif isinstance(value, Stream | AnswerStream | Duplex):
            with value:
                self._each(value)
        elif isinstance(value, Pager):
            self._list(value if self._limit is None else islice(value, self._limit))
        elif isinstance(value, list | tuple):
            self._list(value)
        elif isinstance(value, Iterator):
            self._each(value)
        elif value is not None:
            self._one(value)

    def _bytes(self, pieces: Iterator[bytes], content_type: Callable[[], str]) -> None:
        def checked() -> Iterator[bytes]:
            for piece in pieces:
                files.check_output(self._out, text=content_type().startswith(_TEXT), option="--out")
                yield piece

        files.write(checked(), self._out)

    def _one(self, value: Any) -> None:
        if self._form is OutputForm.TEXT:
            self._write(record(plain(value)))
        else:
            self._write([as_json(value, indent=2 if self._form is OutputForm.JSON else None)])

    def _list(self, values: Iterable[Any]) -> None:
        if self._form is OutputForm.NDJSON:
            self._write(map(as_json, values))
        elif self._form is OutputForm.JSON:
            self._write(["[" + ",\n ".join(map(as_json, values)) + "]"])
        elif self._out is None:
            _table(rows(plain(one) for one in values), Console())
        else:
            self._write("\t".join(row) for row in rows(plain(one) for one in values))

    def _each(self, values: Iterable[Any]) -> None:
        """Print the messages of a stream, each when it arrives: a JSON array would never end, so each is a line."""
        if self._form is OutputForm.TEXT:
            self._write(Events().texts(values), end="")
        else:
            self._write(map(as_json, values))

    def _write(self, texts: Iterable[str], end: str = "\n") -> None:
        with files.destination(self._out) as out:
            for text in texts:
                out.write((text + end).encode(errors="replace"))
                out.flush()


def _table(shown: Sequence[Sequence[str]], console: Console) -> None:
    """Print a table to a terminal, cut to its width, and tab-separated columns to anything else."""
    if not console.is_terminal:
        for row in shown:
            typer.echo("\t".join(row))
        return
    head, *body = shown or [[]]
    made = Table(box=None, pad_edge=False)
    for name in head:
        made.add_column(Text(name), no_wrap=True, overflow="ellipsis")
    for row in body:
        made.add_row(*map(Text, row))
    console.print(made)
