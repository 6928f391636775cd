"""Formats jobs, task types and log lines as text.

Knows no connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..types.batch import Job, LogEntry, TaskType
from .text import clock, moment, one_line, plain
from .watch import counts, state

_WIDE = 100  # terminal columns from which a job's time is shown in addition to its name


def jobs(found: Iterable[Job], console: Console) -> None:
    """Print jobs, one per line."""
    rows = [
        (job.id, state(job.status), str(job.completed_items), str(job.failed_items), str(job.total_items),
         moment(job.create_time), one_line(job.name))
        for job in found
    ]  # fmt: skip
    head = ("job", "state", "done", "failed", "of", "made", "name")
    narrow = console.is_terminal and console.width < _WIDE
    shown = [(*row[:5], *row[5 + narrow :]) for row in (head, *rows)]
    _table(shown[0], shown[1:], console, numbers=(2, 3, 4), cut=True)


def job(found: Job) -> str:
    """Returns all facts about a job, one per line."""
    facts: list[tuple[str, Any]] = [
        ("job", found.id),
        ("name", one_line(found.name)),
        ("project", one_line(found.project_id)),
        ("state", state(found.status)),
        ("progress", counts(found)),
        ("phases", " → ".join(f"{one_line(phase.name)} ({one_line(phase.task_type)})" for phase in found.phases)),
        ("phase now", one_line(found.current_phase)),
        ("made", moment(found.create_time)),
        ("started", moment(found.start_time)),
        ("ended", moment(found.complete_time)),
        ("tokens", found.tokens_used or ""),
        ("cost", f"${found.cost_incurred:.4f}" if found.cost_incurred else ""),
    ]
    return "\n".join(f"{name:10} {value}" for name, value in facts if value != "")


def task_types(found: Iterable[TaskType], console: Console) -> None:
    """Print task types, one per line."""
    rows = [(one.name, "yes" if one.scored else "no", one_line(one.description)) for one in found]
    _table(("type", "scored", "what it does"), rows, console)


def log_line(entry: LogEntry) -> str:
    """Returns a line of a job's log as text."""
    level = entry.level.name
    item = [] if entry.item_index is None else [f"item {entry.item_index}"]
    place = " ".join([*item, *filter(None, [one_line(entry.phase)])])
    return f"{clock(entry.create_time)} {level:7} {f'{place}: ' if place else ''}{plain(entry.message)}"


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    console: Console,
    *,
    numbers: Sequence[int] = (),
    cut: bool = False,
) -> None:
    """Print a table to a terminal, and tab-separated columns, never truncated, to anything else.

    The columns in `numbers` are right-aligned. Only the last column is made to fit, by truncating it if `cut` or else
    by wrapping it.
    """
    if not console.is_terminal:
        for row in (head, *rows):
            typer.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(head):
        last = place == len(head) - 1
        width = None if last else max(len(row[place]) for row in (head, *rows))
        justify: Literal["left", "right"] = "right" if place in numbers else "left"
        table.add_column(Text(name), justify=justify, min_width=width, no_wrap=not last)
    for row in rows:
        table.add_row(*map(Text, row[:-1]), Text(row[-1], no_wrap=cut, overflow="ellipsis" if cut else "fold"))
    console.print(table)
