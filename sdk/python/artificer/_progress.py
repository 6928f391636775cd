"""The progress bar of batch runs: by rich where it is installed, else lines on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._batch import BatchProgress, ShowProgress


@contextmanager
def shown(wanted: ShowProgress | None) -> Iterator[Callable[[BatchProgress], None]]:
    """Yields what is called with the progress."""
    if callable(wanted):
        yield wanted
    elif not wanted:
        yield lambda _: None
    else:
        try:
            import rich.progress as rich
            from rich.console import Console
        except ImportError:
            yield _Lines().show
            return
        with rich.Progress(
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            rich.TaskProgressColumn(),
            rich.TextColumn("{task.fields[counts]}"),
            rich.TimeElapsedColumn(),
            console=Console(stderr=True),
        ) as bar:
            tasks: dict[str, rich.TaskID] = {}

            def show(progress: BatchProgress) -> None:
                if progress.stage not in tasks:
                    tasks[progress.stage] = bar.add_task(progress.stage, total=100.0, counts="")
                bar.update(tasks[progress.stage], completed=progress.percentage, counts=_counts(progress))

            yield show


class _Lines:
    """Prints a line for every tenth of a stage."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def show(self, progress: BatchProgress) -> None:
        now = progress.stage, int(progress.percentage // 10)
        if now != self._last:
            self._last = now
            print(f"{progress.stage}: {progress.percentage:.0f} %, {_counts(progress)}", file=sys.stderr)  # noqa: T201


def _counts(progress: BatchProgress) -> str:
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.done} of {progress.total}{failed}"
