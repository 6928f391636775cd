"""Shows the progress of a job: a bar on a terminal, plain lines anywhere else.

Knows no arguments. Prints to standard error, so that standard output has results only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ..types.batch import Job, JobStatus
from ..types.batch import Progress as JobProgress
from .errors import Failed
from .session import Session
from .text import one_line, plain, short

ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
_LINE_SECONDS = 1.0  # between lines while the state is unchanged; the server sends up to ten updates a second

Show = Callable[[JobProgress], None]


def watch(session: Session, job: Job, console: Console) -> JobProgress:
    """Show a job until it has ended and return its last state. Raises Failed."""
    last: JobProgress | None = None
    with view(job, console) as show:
        for last in session.follow(lambda: session.client.batch.progress.stream(job.id)):
            show(last)
    if last is None or last.status not in ENDED:
        raise Failed(f"the server ended the stream before job {job.id} ended")
    return last


def exit_code(progress: JobProgress) -> int:
    """Returns 0 if every item completed all phases, else 1."""
    return 0 if progress.status == JobStatus.COMPLETED and not progress.failed_items else 1


def summary(job_id: str, progress: JobProgress) -> str:
    """Returns the outcome of a job, and the command that shows its failures."""
    lines = [f"{state(progress.status)}: {counts(progress)}"]
    if progress.failed_items:
        lines.append(f"see the reasons with: artificer batch results {job_id} --status failed")
    return "\n".join(lines)


def state(status: JobStatus) -> str:
    """Returns the name of a job's state."""
    return status.name.lower()


def counts(progress: JobProgress | Job) -> str:
    """Returns how many items are completed and failed."""
    failed = f", {progress.failed_items} failed" if progress.failed_items else ""
    return f"{progress.completed_items} of {progress.total_items} items{failed}"


@contextmanager
def view(job: Job, console: Console) -> Iterator[Show]:
    """Returns a function that shows a job's progress on the console."""
    if not console.is_terminal:
        yield _LineProgress(job, console).show
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(markup=False),
        TextColumn("{task.fields[about]}", markup=False),
        TimeElapsedColumn(),
        console=console,
    ) as bar:
        task = bar.add_task(short(job.name, 30), total=100.0, about="")

        def show(progress: JobProgress) -> None:
            bar.update(task, completed=progress.progress_percentage, about=_about(progress))

        yield show


class _LineProgress:
    """Prints a line for every new state or phase, and one a second for other progress."""

    def __init__(self, job: Job, console: Console) -> None:
        self._name, self._console = one_line(job.name), console
        self._shown: tuple[object, ...] = ()
        self._when = 0.0

    def show(self, progress: JobProgress) -> None:
        shown = (progress.status, progress.current_phase)
        now = time.monotonic()
        if shown == self._shown and now < self._when + _LINE_SECONDS:
            return
        self._shown, self._when = shown, now
        line = f"{self._name}: {progress.progress_percentage:.0f} %, {_about(progress)}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _about(progress: JobProgress) -> str:
    phase = f", {plain(progress.current_phase)}" if progress.current_phase and progress.status not in ENDED else ""
    return f"{counts(progress)}, {state(progress.status)}{phase}"
