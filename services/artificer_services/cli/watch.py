"""How far a job is, as it goes: a bar on a terminal, plain lines anywhere else.

Knows no arguments; what is shown goes to standard error, so that standard output holds answers alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from artificer.batch.v1 import batch_service_pb2 as pb

from .errors import Failed
from .link import Link
from .text import one_line, plain, short

ENDED = (pb.JOB_STATUS_COMPLETED, pb.JOB_STATUS_FAILED, pb.JOB_STATUS_CANCELLED)
_LINE_SECONDS = 1.0  # between lines of a job whose state stays the same: a log is no place for ten a second

Show = Callable[[pb.Progress], None]


def watch(link: Link, job: pb.Job, console: Console) -> pb.Progress:
    """Show a job until it has ended; its last state. Raises Failed."""
    last: pb.Progress | None = None
    request = pb.StreamProgressRequest(job_id=job.id)
    with view(job, console) as show:
        for last in link.follow(lambda: link.batch.StreamProgress(request)):
            show(last)
    if last is None or last.status not in ENDED:
        raise Failed(f"the server left before job {job.id} had ended")
    return last


def exit_code(progress: pb.Progress) -> int:
    """0 where every item went through all phases."""
    return 0 if progress.status == pb.JOB_STATUS_COMPLETED and not progress.failed_items else 1


def summary(job_id: str, progress: pb.Progress) -> str:
    """What has become of a job, and where to look further."""
    lines = [f"{state(progress.status)}: {counts(progress)}"]
    if progress.failed_items:
        lines.append(f"artificer batch results {job_id} --status failed   tells why")
    return "\n".join(lines)


def state(status: pb.JobStatus.ValueType) -> str:
    """The word for a job's state."""
    return pb.JobStatus.Name(status).removeprefix("JOB_STATUS_").lower()


def counts(progress: pb.Progress | pb.Job) -> str:
    """How many items are through."""
    failed = f", {progress.failed_items} failed" if progress.failed_items else ""
    return f"{progress.completed_items} of {progress.total_items} items{failed}"


@contextmanager
def view(job: pb.Job, console: Console) -> Iterator[Show]:
    """What shows a job on this console."""
    if not console.is_terminal:
        yield _Lines(job, console).show
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

        def show(progress: pb.Progress) -> None:
            bar.update(task, completed=progress.progress_percentage, about=_about(progress))

        yield show


class _Lines:
    """A line for every new state or phase, and now and then for what was done."""

    def __init__(self, job: pb.Job, console: Console) -> None:
        self._name, self._console = one_line(job.name), console
        self._told: tuple[object, ...] = ()
        self._when = 0.0

    def show(self, progress: pb.Progress) -> None:
        told = (progress.status, progress.current_phase)
        now = time.monotonic()
        if told == self._told and now < self._when + _LINE_SECONDS:
            return
        self._told, self._when = told, now
        line = f"{self._name}: {progress.progress_percentage:.0f} %, {_about(progress)}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _about(progress: pb.Progress) -> str:
    phase = f", {plain(progress.current_phase)}" if progress.current_phase and progress.status not in ENDED else ""
    return f"{counts(progress)}, {state(progress.status)}{phase}"
