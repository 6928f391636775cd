"""Values of batch jobs as a caller sees them: items, progress and the outcome. Knows no calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ._requests import checked

if TYPE_CHECKING:
    from .types.batch import Item, Job, Phase, Result

ItemInput: TypeAlias = "str | Item | Mapping[str, Any]"
"""The input of an item, or the item with its metadata: a model, or a mapping of its fields."""
ShowProgress: TypeAlias = "bool | Callable[[BatchProgress], None]"
"""Whether to show a progress bar, or what to call with the progress instead."""

# Of one message of an upload: it stays well below the 4 MiB that gRPC's servers accept, even if its last item is large.
_MOST_ITEMS, _MOST_CHARACTERS = 1000, 256 * 1024


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a run is: first files are uploaded, then the job runs."""

    stage: Literal["uploading", "running"]
    done: int
    """Files that are uploaded, or items that have ended."""
    total: int
    failed: int = 0
    percentage: float = 0.0
    """The share of the stage that is done, from 0 to 100; every phase of every item counts."""
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """A job that has ended: its state, and its items in the order in which they were given."""

    job: Job
    results: list[Result]

    @property
    def outputs(self) -> list[str | None]:
        """The output of each item; None for one that failed."""
        return [one.output if one.status == "ITEM_STATUS_COMPLETED" else None for one in self.results]

    @property
    def failed(self) -> list[Result]:
        """The items that did not complete; `error` of each says why."""
        return [one for one in self.results if one.status != "ITEM_STATUS_COMPLETED"]


def item(given: ItemInput) -> Item:
    """Returns the item. Raises InvalidRequestError for a mapping that is none."""
    from .types.batch import Item

    return Item(input=given) if isinstance(given, str) else checked(Item, given)


class Packer:
    """Puts items together into messages of a size that every server accepts."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._characters = 0

    def add(self, one: Item) -> list[Item]:
        """Adds an item; returns the items of a message that is full, else nothing."""
        self._items.append(one)
        self._characters += len(one.input) + sum(len(name) + len(text) for name, text in one.metadata.items())
        full = len(self._items) >= _MOST_ITEMS or self._characters >= _MOST_CHARACTERS
        return self.rest() if full else []

    def rest(self) -> list[Item]:
        """Returns the items that are not in a message yet."""
        found, self._items, self._characters = self._items, [], 0
        return found


def phases_of(
    task_type: str | None, parameters: Mapping[str, str] | None, phases: Sequence[Phase | Mapping[str, Any]] | None
) -> Sequence[Phase | Mapping[str, Any]]:
    """Returns the phases of a job. Raises TypeError unless either a task type or phases are given."""
    if (task_type is None) == (phases is None):
        raise TypeError("a run needs either task_type or phases")
    if phases is not None:
        if parameters is not None:
            raise TypeError("parameters belong to task_type; phases have their own")
        if isinstance(phases, str | bytes | Mapping):
            raise TypeError(f"phases are a list of phases, not {type(phases).__name__}")
        for one in phases:
            if not (isinstance(one, Mapping) or hasattr(one, "task_type")):
                raise TypeError(f"a phase is a Phase or a mapping of its fields, not {type(one).__name__}")
        return phases
    return [{"name": str(task_type), "task_type": task_type, "parameters": dict(parameters or {})}]


def name_of(phases: Sequence[Phase | Mapping[str, Any]]) -> str:
    """Returns a name for a job of these phases: their task types."""
    found = (one.get("task_type") if isinstance(one, Mapping) else one.task_type for one in phases)
    return ", ".join(str(one or "unknown") for one in found)[:100]
