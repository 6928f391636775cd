"""Shows how far a document has been read: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .text import short


class Shown:
    """A document on the screen, and the errors of its pages."""

    def __init__(self, bar: Progress, name: str) -> None:
        self._bar = bar
        self._task = bar.add_task(short(name, 40), total=None)
        self.errors: list[tuple[int, str]] = []

    def page(self, of: int) -> None:
        self._bar.update(self._task, advance=1, total=of)

    def error(self, page: int, message: str) -> None:
        self.errors.append((page, message))


@contextmanager
def showing(name: str, console: Console) -> Iterator[Shown]:
    """Show a document until the block ends."""
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        yield Shown(bar, name)
