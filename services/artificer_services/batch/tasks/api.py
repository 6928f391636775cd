"""The protocol of a task type: all that a plugin needs to know, and it need not even import it.

A package offers task types by entry points of the group `artificer.batch.tasks`: each names a function that takes the
`tasks` settings of the service (a mapping) and returns a task. Entry points are loaded in worker processes, where tasks
run, and in the gateway, which uses `name`, `description`, `scored`, `takes` and `check`: import heavy dependencies when
the first item runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

GROUP = "artificer.batch.tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """What a task knows of its phase."""

    name: str
    task_type: str
    model: str = ""
    use_rag: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] | None = None  # the names of the earlier phases, set for `check` only


class Work(Protocol):
    """One item in one phase, as the worker passes it to a task."""

    job_id: str
    index: int
    attempt: int  # from 1
    input: str  # the output of the previous phase; in the first phase the item's own input
    item_input: str  # the item's own input
    metadata: Mapping[str, str]
    outputs: Mapping[str, str]  # of the earlier phases, by name
    phase: PhaseView
    effect_key: str  # the same for every attempt: makes effects outside the database idempotent
    cancelled: threading.Event  # set when the result is no longer wanted; stop soon

    @property
    def project_id(self) -> str:
        """The project that the job belongs to."""

    def log(self, level: int, message: str) -> None:
        """Write a line to the job's log; `level` is one of `logging`'s."""

    def read_blob(self, blob_id: str) -> tuple[bytes, str]:
        """Returns the bytes of an uploaded blob and its media type. Raises KeyError."""

    def read_document(self) -> tuple[bytes, str]:
        """Returns the bytes that `input` names (a path below the root, data URI or blob) and their media type or "".

        For tasks that take documents. Raises TaskError, Rejected.
        """

    def save_blob(self, data: bytes, content_type: str) -> str:
        """Store bytes as a blob; returns `blob:` and its id, usable as an input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The output of a task. `score` is 0..1, None if the task gives none; `cost` is in US dollars."""

    text: str
    score: float | None = None
    tokens: int = 0
    cost: float = 0.0


class TaskError(Exception):
    """The item failed and is retried. The message is shown to the job's owner.

    Other exceptions are retried too; the owner sees only their type, and their text goes to the server's log. A plugin
    that imports nothing from here raises an exception with the attributes `message` and `final`, which the registry
    converts.
    """

    final = False

    def __init__(self, message: str, *, tokens: int = 0, cost: float = 0.0) -> None:
        super().__init__(message)
        self.message, self.tokens, self.cost = message, tokens, cost


class Rejected(TaskError):
    """The item can never succeed: it fails at once, alone."""

    final = True


class Task(Protocol):
    """A task type. One instance per worker process runs one item after the other."""

    name: str
    description: str  # a sentence or two: what it does and what it takes
    scored: bool  # whether its outputs have a score
    takes: Literal["text", "document"]  # an input is the text itself, or names a document
    timeout: float | None  # seconds per item; None for the server's setting

    def check(self, phase: PhaseView) -> list[tuple[str, str]]:
        """Returns the faults of a phase as (field of the phase, text). Runs in the gateway; must be fast."""

    def run(self, work: Work) -> Output:
        """Run one item. Raises TaskError, Rejected."""

    def close(self) -> None:
        """Release resources."""


Factory = Callable[[Mapping[str, Any]], Task]
