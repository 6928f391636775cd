"""What services share that offer task types of batch jobs: the job's side as Protocols, errors, a loop.

The batch service is known only by these Protocols, since services never import one another.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from .parameters import Kind

_POLL_SECONDS = 0.1  # between checks whether the job was cancelled

R = TypeVar("R")


class Phase(Protocol):
    """A phase of a job, as a task sees it."""

    @property
    def model(self) -> str:
        """The model, which is empty for tasks without models."""

    @property
    def use_rag(self) -> bool:
        """Whether passages of documents are to be retrieved."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the task."""

    @property
    def before(self) -> tuple[str, ...] | None:
        """The names of the earlier phases while a phase is checked, else None."""


class Work(Protocol):
    """An item in one phase, as a task sees it."""

    @property
    def input(self) -> str:
        """The output of the phase before; in the first phase the item's own input."""

    @property
    def item_input(self) -> str:
        """The item's own input."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the earlier phases, by name."""

    @property
    def effect_key(self) -> str:
        """The same for every attempt, so that effects outside the job can be made once."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata of the item."""

    @property
    def cancelled(self) -> threading.Event:
        """Set when the result is no longer wanted."""

    @property
    def phase(self) -> Phase:
        """The phase."""

    def read_document(self) -> tuple[bytes, str]:
        """Returns the bytes that the input names, and their media type or ""."""

    def save_blob(self, data: bytes, content_type: str) -> str:
        """Store bytes as a blob; returns `blob:` and its id."""

    def log(self, level: int, message: str) -> None:
        """Write a line to the job's log."""


class NotDone(Exception):
    """An item failed, and always will if `final`; `message` is for the job's owner.

    `tokens` and `cost`, in US dollars, are what it used nevertheless.
    """

    def __init__(self, message: str, *, final: bool, tokens: int = 0, cost: float = 0.0) -> None:
        super().__init__(message)
        self.message, self.final, self.tokens, self.cost = message, final, tokens, cost


def faults_of(
    task: str, phase: Phase, kinds: Mapping[str, Kind], *, models: bool = False, passages: bool = False
) -> list[tuple[str, str]]:
    """Returns the faults of a phase, as (field, text). `models`, `passages`: whether the task has any."""
    found = [("use_rag", f"{task} does not retrieve passages")] if phase.use_rag and not passages else []
    if phase.model and not models:
        found.append(("model", f"must be empty: {task} has no models"))
    for name, value in phase.parameters.items():
        kind = kinds.get(name)
        if kind is None:
            text = f"{task} has no such parameter; expected one of {', '.join(kinds) or 'none'}"
            found.append((f"parameters.{name}", text))
            continue
        try:
            kind(value)
        except ValueError as error:
            found.append((f"parameters.{name}", str(error)))
    return found


class TaskLoop:
    """The event loop of a task, which runs only while an item does, in the thread that runs items."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, R], cancelled: threading.Event) -> R:
        """Returns the result of `work`. Cancels it and raises NotDone once the job is cancelled."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(_unless_cancelled(work, cancelled))

    def close(self, stop: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Run `stop` if any item has run, and close the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            if stop is not None:
                loop.run_until_complete(stop())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _unless_cancelled(work: Coroutine[Any, Any, R], cancelled: threading.Event) -> R:
    working = asyncio.ensure_future(work)
    try:
        while not cancelled.is_set():
            done, _ = await asyncio.wait({working}, timeout=_POLL_SECONDS)
            if done:
                return working.result()
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    raise NotDone("the job was cancelled", final=False)
