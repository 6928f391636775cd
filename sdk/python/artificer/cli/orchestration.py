"""The commands of `artificer orchestration`: files go through a pipeline of steps as one batch job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import files as reading
from . import pipelines
from .errors import Usage, fault
from .generic.group import resource_app
from .generic.output import OutputForm, Printer
from .options import linked
from .session import Session

app: typer.Typer = resource_app(("orchestration",))

Pipeline = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="A YAML or JSON file with steps; - is standard input.")
]
Files = Annotated[list[str] | None, typer.Argument(metavar="[FILES]...", help="The files to run.")]
Inputs = Annotated[list[str] | None, typer.Option("--input", metavar="TEXT", help="Another input. May be repeated.")]
Project = Annotated[str | None, typer.Option(help="The project that the job belongs to.")]
Concurrency = Annotated[int | None, typer.Option(min=1, help="The most workers at once.")]
Key = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", help="Repeating the command with the same key continues its job."),
]
Form = Annotated[OutputForm, typer.Option("--output", help="Print text for people, or JSON as REST returns it.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write to this file instead of standard output.")
]


@app.command()
@linked
def run(
    session: Session,
    pipeline: Pipeline,
    files: Files = None,
    inputs: Inputs = None,
    project: Project = None,
    concurrency: Concurrency = None,
    idempotency_key: Key = None,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="The most seconds to wait.")] = None,
    output: Form = OutputForm.TEXT,
    out: Out = None,
) -> None:
    """Run files through the steps of a pipeline, and print the results.

    The exit code is 1 if any item failed.
    """
    with session.failures():
        made = _pipeline(session, pipeline, files)
        found = made.run(
            files or (),
            inputs=inputs or (),
            project_id=project,
            concurrency=concurrency,
            progress=sys.stderr.isatty(),
            idempotency_key=idempotency_key,
            timeout=timeout,
        )
    Printer(output, out, None).show(found.results)
    if found.failed:
        raise typer.Exit(1)


@app.command()
@linked
def start(
    session: Session,
    pipeline: Pipeline,
    files: Files = None,
    inputs: Inputs = None,
    project: Project = None,
    concurrency: Concurrency = None,
    idempotency_key: Key = None,
    output: Form = OutputForm.TEXT,
    out: Out = None,
) -> None:
    """Start a job that runs files through the steps of a pipeline, and print the job."""
    with session.failures():
        made = _pipeline(session, pipeline, files)
        job = made.start(
            files or (),
            inputs=inputs or (),
            project_id=project,
            concurrency=concurrency,
            idempotency_key=idempotency_key,
        )
    Printer(output, out, None).show(job)


def _pipeline(session: Session, name: str, files: list[str] | None) -> Any:
    for one in files or ():
        reading.check_readable(one)
    title, steps = pipelines.read(name)
    try:
        return session.client.orchestration.pipeline(*steps, name=title)
    except ValueError as error:
        raise Usage(fault(error)) from None
