"""The commands of `artificer batch`, each a thin client of BatchService.

Print results to standard output and everything else to standard error.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..types.batch import ItemStatus, Job, JobOptions, JobStatus, ListTaskTypesResponse
from . import phases, results, show
from .errors import Usage
from .generic.group import resource_app
from .inputs import LineSource, ListSource, Source, files_in, uploaded
from .json_form import as_json
from .options import linked
from .session import Session
from .submit import NewJob
from .submit import submit as submit_job
from .text import one_line
from .watch import exit_code, state, summary, watch

app = resource_app(("batch",))


class ResultFormat(StrEnum):
    """The output formats of results."""

    JSONL = "jsonl"
    CSV = "csv"


class ItemState(StrEnum):
    """The states of an item."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """The states of a job."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of the job.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON as the REST API does.")]


@app.command()
@linked
def submit(
    session: Session,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILES]...", help="Files to use as items; a folder means its files; - means --from-file -."
        ),
    ] = None,
    from_file: Annotated[
        str | None, typer.Option(metavar="LIST", help="A file with one item per line, the input of the first phase.")
    ] = None,
    json_lines: Annotated[
        bool, typer.Option(help='The lines of LIST are JSON objects: {"input": …, "metadata": {…}}.')
    ] = False,
    by_path: Annotated[
        bool, typer.Option(help="Do not upload: FILES are paths below the server's root folder.")
    ] = False,
    phase: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]TYPE", help=f"A phase, in order. Default: {', then '.join(phases.DEFAULT)}."),
    ] = None,
    phase_param: Annotated[
        list[str] | None, typer.Option(metavar="PHASE.KEY=VALUE", help="A parameter of a phase's task.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="PHASE=MODEL", help="The model of a phase.")] = None,
    min_score: Annotated[
        list[str] | None, typer.Option(metavar="PHASE=SCORE", help="The minimum score of a phase, from 0 to 1.")
    ] = None,
    rag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PHASE", help="The phase retrieves passages of the collection in --phase-param PHASE.collection=ID."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The name of the job.")] = None,
    project: Annotated[str, typer.Option(help="The project that the job belongs to.")] = "",
    concurrency: Annotated[
        int, typer.Option(min=0, help="The maximum number of concurrent workers; 0 means the server's default.")
    ] = 0,
    checkpoint: Annotated[
        int, typer.Option(min=0, help="Finished items that a worker may hold unsaved; 0 means the default.")
    ] = 0,
    request_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Repeating the command with the same id creates no second job. Default: random."
        ),
    ] = None,
    start: Annotated[bool, typer.Option(help="Start the job at once.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Show the progress until the job has ended.")] = False,
) -> None:
    """Create a job from files or a list of inputs, and print its id.

    With --watch the exit code is 0 if every item was completed and 1 if any failed.
    """
    new = NewJob(
        name=name or _name(files, from_file),
        project_id=project,
        phases=phases.phases_of(
            phase or phases.DEFAULT,
            parameters=phase_param or (),
            models=model or (),
            scores=min_score or (),
            rag=rag or (),
        ),
        options=JobOptions(concurrency=concurrency, checkpoint_frequency=checkpoint),
        request_id=request_id or str(uuid.uuid4()),
    )
    if watch and not start:
        raise Usage("--watch would wait forever: with --no-start the job never begins")
    source = _source(session, files or [], from_file, json_lines=json_lines, by_path=by_path)
    job = submit_job(session, new, source, start=start)
    typer.echo(job.id)
    if watch:
        _watch(session, job)


@app.command("watch")
@linked
def watch_job(session: Session, job: JobId) -> None:
    """Show the progress of a job until it has ended, with the exit code of `submit --watch`."""
    _watch(session, session.patiently(lambda: session.client.batch.get(job)))


@app.command()
@linked
def status(
    session: Session,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="The id of a job. Default: list all jobs.")] = None,
    states: Annotated[
        list[JobState] | None, typer.Option("--state", help="List only jobs in this state. May be repeated.")
    ] = None,
    project: Annotated[str, typer.Option(help="List only jobs of this project.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of jobs to list.")] = 50,
    json: JsonFlag = False,
) -> None:
    """Show one job, or list jobs, newest first."""
    if job is not None:
        found = session.patiently(lambda: session.client.batch.get(job))
        typer.echo(as_json(found, indent=2) if json else show.job(found))
        return
    pager = session.client.batch.list(
        status=[JobStatus[one.name] for one in states or ()], project_id=project, page_size=min(limit + 1, 1000)
    )
    listed = islice(session.elements(pager), limit + 1)
    shown = islice(listed, limit)
    if json:
        for one in shown:
            typer.echo(as_json(one))
    else:
        show.jobs(shown, Console())
    if next(listed, None) is not None:
        _say(f"only the newest {limit} jobs are listed, and there are more; see --limit")


@app.command("results")
@linked
def results_of(
    session: Session,
    job: JobId,
    form: Annotated[ResultFormat, typer.Option("--format", help="JSON lines or CSV.")] = ResultFormat.JSONL,
    states: Annotated[
        list[ItemState] | None,
        typer.Option("--status", help="Only items in this state. May be repeated. Default: all."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """Print the results of a job's items."""
    wanted = [ItemStatus[one.name] for one in states or ()]
    write = results.as_csv if form is ResultFormat.CSV else results.as_lines
    with results.destination(output) as out:
        write(out, results.read(session, job, wanted))


@app.command()
@linked
def logs(
    session: Session,
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing until the job has ended.")] = False,
    item: Annotated[int | None, typer.Option(min=0, help="Print only the lines of this item.")] = None,
    json: JsonFlag = False,
) -> None:
    """Print a job's log."""
    last: str | None = None
    stream = session.client.batch.logs.stream
    for entry in session.follow(lambda: stream(job, item_index=item, follow=follow, after=last)):  # noqa: B023
        last = entry.id
        typer.echo(as_json(entry) if json else show.log_line(entry))


@app.command()
@linked
def tasks(session: Session, json: JsonFlag = False) -> None:
    """List the task types that phases may use."""
    found = session.patiently(session.client.batch.task_types.list().to_list)
    if json:
        typer.echo(as_json(ListTaskTypesResponse(task_types=found), indent=2))
    else:
        show.task_types(found, Console())


@app.command()
@linked
def start(session: Session, job: JobId) -> None:
    """Start a pending job."""
    typer.echo(state(session.patiently(lambda: session.client.batch.start(job)).status))


@app.command()
@linked
def pause(session: Session, job: JobId) -> None:
    """Pause a job and let its running items finish."""
    typer.echo(state(session.patiently(lambda: session.client.batch.pause(job)).status))


@app.command()
@linked
def resume(session: Session, job: JobId) -> None:
    """Resume a paused job."""
    typer.echo(state(session.patiently(lambda: session.client.batch.resume(job)).status))


@app.command()
@linked
def cancel(session: Session, job: JobId) -> None:
    """Cancel a job. Finished results are kept."""
    typer.echo(state(session.patiently(lambda: session.client.batch.cancel(job)).status))


def _watch(session: Session, job: Job) -> None:
    console = Console(stderr=True)
    try:
        last = watch(session, job, console)
    except KeyboardInterrupt:
        _say(f"job {job.id} continues: `artificer batch watch {job.id}` shows it, `… cancel {job.id}` ends it")
        raise typer.Exit(130) from None
    _say(summary(job.id, last))
    raise typer.Exit(exit_code(last))


def _source(session: Session, files: list[str], listed: str | None, *, json_lines: bool, by_path: bool) -> Source:
    if files == ["-"]:
        files, listed = [], "-"
    if bool(files) == bool(listed):
        raise Usage("the items must come from either FILES or --from-file")
    if listed:
        return LineSource(listed, as_json=json_lines)
    if by_path:
        return ListSource((path, path) for path in files)
    found = files_in(files, lambda path, what: _say(f"skipped: {one_line(str(path))} is {what}"))
    if not found:
        raise Usage("the folders contain no files")
    return ListSource(_upload(session, found))


def _upload(session: Session, files: list[Path]) -> list[tuple[str, str]]:
    """Upload files and show the progress, since the job's own progress begins later."""
    console = Console(stderr=True)
    sent = 0

    def done(size: int) -> None:
        nonlocal sent
        sent += size

    inputs: list[tuple[str, str]] = []
    with console.status("uploading") if console.is_terminal else _no_status() as shown:
        for one in uploaded(session, files, done):
            inputs.append(one)
            if shown:
                shown.update(f"uploading: {len(inputs)} of {len(files)} files, {sent / 1e6:.1f} MB")
    _say(f"uploaded: {len(files)} of {len(files)} files, {sent / 1e6:.1f} MB")
    return inputs


@contextmanager
def _no_status() -> Iterator[Any]:
    yield None


def _name(files: list[str] | None, listed: str | None) -> str:
    """Returns a default name for the job, from its inputs."""
    if files and files != ["-"]:
        first = os.path.basename(os.path.normpath(files[0]))
        return one_line(first if len(files) == 1 else f"{first} and {len(files) - 1} more")[:80]
    return "standard input" if listed in (None, "-") else one_line(os.path.basename(str(listed)))[:80]


def _say(text: str) -> None:
    typer.echo(text, err=True)
