"""`artificer batch`: the commands, each a thin client of BatchService.

Answers go to standard output, everything else to standard error.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from artificer.batch.v1 import batch_service_pb2 as pb

from . import phases, results, show
from .errors import Usage
from .inputs import Lines, Listed, Source, files_in, uploaded
from .link import Link
from .options import linked
from .submit import submit as submit_job
from .text import one_line
from .watch import exit_code, state, summary, watch

app = typer.Typer(help="Run jobs over many items.", no_args_is_help=True)


class Form(StrEnum):
    """How results are written."""

    JSONL = "jsonl"
    CSV = "csv"


class Item(StrEnum):
    """The states of an item."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class State(StrEnum):
    """The states of a job."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of the job.")]
Json = Annotated[bool, typer.Option("--json", help="JSON as the API has it.")]
Many = Annotated[list[str] | None, typer.Option()]


@app.command()
@linked
def submit(
    link: Link,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILES]...", help="An item each; for a folder the files in it; - as --from-file -."),
    ] = None,
    from_file: Annotated[
        str | None, typer.Option(metavar="LIST", help="An item a line: the input of the first phase as it stands.")
    ] = None,
    json_lines: Annotated[
        bool, typer.Option(help='The lines of LIST are objects: {"input": …, "metadata": {…}}.')
    ] = False,
    by_path: Annotated[bool, typer.Option(help="Upload nothing: FILES are paths below the server's own root.")] = False,
    phase: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]TYPE", help=f"A phase, in order. Default: {', then '.join(phases.DEFAULT)}."),
    ] = None,
    phase_param: Annotated[
        list[str] | None, typer.Option(metavar="PHASE.KEY=VALUE", help="What else a phase's task wants to know.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="PHASE=MODEL", help="The model of a phase.")] = None,
    min_score: Annotated[
        list[str] | None, typer.Option(metavar="PHASE=SCORE", help="The least score, 0 to 1, that a phase accepts.")
    ] = None,
    rag: Annotated[
        list[str] | None, typer.Option(metavar="PHASE", help="The phase looks for passages in documents first.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the job.")] = None,
    project: Annotated[str, typer.Option(help="The project that the job belongs to.")] = "",
    concurrency: Annotated[int, typer.Option(min=0, help="The most workers at once; 0: the server's default.")] = 0,
    checkpoint: Annotated[int, typer.Option(min=0, help="Finished items a worker may hold; 0: the default.")] = 0,
    request_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Makes one job however often this is run; made up by default.")
    ] = None,
    start: Annotated[bool, typer.Option(help="Start the job at once.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Show the progress until the job has ended.")] = False,
) -> None:
    """Make a job of files, or of a list of inputs, and print its id.

    With --watch it exits with 0 when every item is done, with 1 when some failed.
    """
    request = pb.CreateJobRequest(
        name=name or _name(files, from_file),
        project_id=project,
        phases=phases.phases_of(
            phase or phases.DEFAULT,
            parameters=phase_param or (),
            models=model or (),
            scores=min_score or (),
            rag=rag or (),
        ),
        options=pb.JobOptions(concurrency=concurrency, checkpoint_frequency=checkpoint),
        request_id=request_id or str(uuid.uuid4()),
    )
    if watch and not start:
        raise Usage("--watch waits for the job to end, and with --no-start it never begins")
    source = _source(link, files or [], from_file, json_lines=json_lines, by_path=by_path)
    job = submit_job(link, request, source, start=start)
    typer.echo(job.id)
    if watch:
        _watch(link, job)


@app.command("watch")
@linked
def watch_job(link: Link, job: JobId) -> None:
    """Show the progress of a job until it has ended; exits as `submit --watch` does."""
    _watch(link, link.ask(link.batch.GetJob, pb.GetJobRequest(job_id=job)))


@app.command()
@linked
def status(
    link: Link,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="The id of a job; without it, all.")] = None,
    states: Annotated[list[State] | None, typer.Option("--state", help="Jobs in this state. May be repeated.")] = None,
    project: Annotated[str, typer.Option(help="Jobs of this project.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The most jobs to list.")] = 50,
    json: Json = False,
) -> None:
    """Tell of one job, or list jobs, the newest first."""
    if job is not None:
        found = link.ask(link.batch.GetJob, pb.GetJobRequest(job_id=job))
        typer.echo(show.as_json(found, indent=2) if json else show.job(found))
        return
    wanted = [pb.JobStatus.Value(f"JOB_STATUS_{one.name}") for one in states or ()]
    listed = _jobs(link, pb.ListJobsRequest(status=wanted, project_id=project), limit)
    if json:
        for found in listed:
            typer.echo(show.as_json(found))
    else:
        show.jobs(listed, Console())


@app.command("results")
@linked
def results_of(
    link: Link,
    job: JobId,
    form: Annotated[Form, typer.Option("--format", help="JSON lines, or CSV.")] = Form.JSONL,
    states: Annotated[
        list[Item] | None, typer.Option("--status", help="Items in this state. May be repeated; default: all.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file instead of standard output.")] = None,
) -> None:
    """Print what has become of a job's items."""
    wanted = [pb.ItemStatus.Value(f"ITEM_STATUS_{one.name}") for one in states or ()]
    write = results.as_csv if form is Form.CSV else results.as_lines
    with results.destination(output) as out:
        write(out, results.read(link, job, wanted))


@app.command()
@linked
def logs(
    link: Link,
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    item: Annotated[int | None, typer.Option(min=0, help="The lines of one item.")] = None,
    json: Json = False,
) -> None:
    """Print a job's log, as its workers have written it."""
    request = pb.StreamLogsRequest(job_id=job, item_index=item, follow=follow)
    for entry in link.follow(lambda: link.batch.StreamLogs(request)):
        request.after = entry.id
        typer.echo(show.as_json(entry) if json else show.log_line(entry))


@app.command()
@linked
def tasks(link: Link, json: Json = False) -> None:
    """List the task types that phases may name."""
    answer = link.ask(link.batch.ListTaskTypes, pb.ListTaskTypesRequest())
    if json:
        typer.echo(show.as_json(answer, indent=2))
    else:
        show.task_types(answer.task_types, Console())


@app.command()
@linked
def start(link: Link, job: JobId) -> None:
    """Start a job that waits."""
    typer.echo(state(link.ask(link.batch.StartJob, pb.StartJobRequest(job_id=job)).status))


@app.command()
@linked
def pause(link: Link, job: JobId) -> None:
    """Let running items finish, and start no other."""
    typer.echo(state(link.ask(link.batch.PauseJob, pb.PauseJobRequest(job_id=job)).status))


@app.command()
@linked
def resume(link: Link, job: JobId) -> None:
    """Go on with a paused job."""
    typer.echo(state(link.ask(link.batch.ResumeJob, pb.ResumeJobRequest(job_id=job)).status))


@app.command()
@linked
def cancel(link: Link, job: JobId) -> None:
    """End a job. What is done is kept."""
    typer.echo(state(link.ask(link.batch.CancelJob, pb.CancelJobRequest(job_id=job)).status))


def _watch(link: Link, job: pb.Job) -> None:
    console = Console(stderr=True)
    try:
        last = watch(link, job, console)
    except KeyboardInterrupt:
        _say(f"job {job.id} goes on: `artificer batch watch {job.id}` shows it, and `… cancel {job.id}` ends it")
        raise typer.Exit(130) from None
    _say(summary(job.id, last))
    raise typer.Exit(exit_code(last))


def _source(link: Link, files: list[str], listed: str | None, *, json_lines: bool, by_path: bool) -> Source:
    if files == ["-"]:
        files, listed = [], "-"
    if bool(files) == bool(listed):
        raise Usage("either FILES or --from-file says what the items are")
    if listed:
        return Lines(listed, as_json=json_lines)
    if by_path:
        return Listed((path, path) for path in files)
    found = files_in(files)
    if not found:
        raise Usage("there are no files")
    return Listed(_upload(link, found))


def _upload(link: Link, files: list[Path]) -> list[tuple[str, str]]:
    """Upload with a word of how far it is, since the job's own progress begins after it."""
    console = Console(stderr=True)
    sent = 0

    def done(size: int) -> None:
        nonlocal sent
        sent += size

    inputs: list[tuple[str, str]] = []
    with console.status("uploading") if console.is_terminal else _nothing() as shown:
        for one in uploaded(link, files, done):
            inputs.append(one)
            if shown:
                shown.update(f"uploading: {len(inputs)} of {len(files)} files, {sent / 1e6:.1f} MB")
    _say(f"uploaded: {len(files)} of {len(files)} files, {sent / 1e6:.1f} MB")
    return inputs


@contextmanager
def _nothing() -> Iterator[Any]:
    yield None


def _jobs(link: Link, request: pb.ListJobsRequest, limit: int) -> Iterator[pb.Job]:
    while limit:
        request.page_size = min(limit, 1000)
        page = link.ask(link.batch.ListJobs, request)
        yield from page.jobs[:limit]
        limit -= len(page.jobs[:limit])
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _name(files: list[str] | None, listed: str | None) -> str:
    """What people would call it: by what it is made of."""
    if files and files != ["-"]:
        first = os.path.basename(os.path.normpath(files[0]))
        return one_line(first if len(files) == 1 else f"{first} and {len(files) - 1} more")[:80]
    return "standard input" if listed in (None, "-") else one_line(os.path.basename(str(listed)))[:80]


def _say(text: str) -> None:
    typer.echo(text, err=True)
