"""What a task type is. The one file that a plugin needs to know, and it need not even import it.

A package offers task types by entry points of the group `artificer.batch.tasks`: each names a function that takes
the `tasks` settings of the service (a mapping) and gives a task. Entry points are loaded in worker processes, where
tasks run, and in the gateway, which asks `name`, `description`, `scored`, `takes` and `check`: what is heavy to import
is imported when the first item is run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

GROUP = "artificer.batch.tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """What a task knows of the phase that it does."""

    name: str
    task_type: str
    model: str = ""
    use_rag: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] | None = None  # the names of the phases before it, where `check` is asked; else None


class Work(Protocol):
    """One item in one phase, as the worker hands it to a task."""

    job_id: str
    index: int
    attempt: int  # from 1
    input: str  # the output of the phase before, or the item's own input in the first one
    item_input: str  # the item's own input
    metadata: Mapping[str, str]
    outputs: Mapping[str, str]  # of the phases before, by name
    phase: PhaseView
    effect_key: str  # the same for every attempt: what makes an effect outside the database happen once
    cancelled: threading.Event  # set when the result is no longer wanted: stop soon

    @property
    def project_id(self) -> str:
        """The project that the job belongs to."""

    def log(self, level: int, message: str) -> None:
        """Write a line to the job's log; `level` is of `logging`."""

    def read_blob(self, blob_id: str) -> tuple[bytes, str]:
        """The bytes of an uploaded blob, and its media type. Raises KeyError."""

    def read_document(self) -> tuple[bytes, str]:
        """The bytes that `input` names (a path below the root, a data URI or a blob), and their media type or "".

        For tasks that take documents. Raises TaskError, Rejected.
        """

    def save_blob(self, data: bytes, content_type: str) -> str:
        """Store bytes; the input that names them, `blob:` and the id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a task made. `score` is 0..1, None where the task has no opinion; `cost` is in US dollars."""

    text: str
    score: float | None = None
    tokens: int = 0
    cost: float = 0.0


class TaskError(Exception):
    """The item could not be done now: it is tried again. The message is shown to whoever owns the job.

    Other exceptions are tried again too; of those only their kind is shown, and their text goes to the server's log.
    A plugin that imports nothing from here raises an exception with the attributes `message` and `final` instead: the
    registry makes one of these of it.
    """

    final = False

    def __init__(self, message: str, *, tokens: int = 0, cost: float = 0.0) -> None:
        super().__init__(message)
        self.message, self.tokens, self.cost = message, tokens, cost


class Rejected(TaskError):
    """The item can never be done: it fails at once, alone."""

    final = True


class Task(Protocol):
    """A task type. One instance per worker process does one item after the other."""

    name: str
    description: str  # a sentence or two: what it does, and what it takes
    scored: bool  # whether its outputs have a score
    takes: Literal["text", "document"]  # what an input is: the text itself, or what names a document
    timeout: float | None  # seconds an item may take; None for the server's setting

    def check(self, phase: PhaseView) -> list[tuple[str, str]]:
        """What is wrong with a phase of this type: (field of the phase, text). Runs in the gateway; must be quick."""

    def run(self, work: Work) -> Output:
        """Do one item. Raises TaskError, Rejected."""

    def close(self) -> None:
        """End what it keeps open."""


Factory = Callable[[Mapping[str, Any]], Task]
