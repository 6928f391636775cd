"""What a job, a phase and an item may be. Pure: values in, values or `Invalid` out, with every fault at once.

Knows no database and no proto. Task types are asked by their own `check`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ..settings import BatchSettings
from ..tasks.api import PhaseView, Task
from .errors import Fault, Invalid, NotFound
from .job import ItemDraft, JobDraft, Phase

# Of a hundred thousand bad items nobody wants to hear one by one.
_FAULTS = 50
_BYTES_PER_CHARACTER = 4  # at the most, in UTF-8
_JOB_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")

Look = Callable[[str], str | None]
"""Why an input can never be read, None where it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job as a request has it. `items` are made as they are looked at; `digest` is of the request."""

    name: str
    project_id: str
    phases: tuple[Phase, ...]
    items: Iterable[ItemDraft]
    item_count: int
    concurrency: int
    checkpoint_frequency: int
    auto_start: bool
    request_id: str
    digest: bytes


def draft(
    asked: Asked, tasks: Mapping[str, Task], document: Look, settings: BatchSettings
) -> tuple[JobDraft, list[ItemDraft]]:
    """A job that may be stored, and its items; `document` looks at what names one. Raises Invalid."""
    items: list[ItemDraft] = []
    look = look_of(asked.phases, tasks, document)
    _refuse(
        [
            *name_faults("name", asked.name, settings.max_name_bytes, required=True),
            *name_faults("project_id", asked.project_id, settings.max_name_bytes),
            *name_faults("request_id", asked.request_id, settings.max_name_bytes),
            *_phases_faults(asked.phases, tasks, settings),
            *_options_faults(asked, settings),
            *_create_items_faults(asked, look, settings, items),
        ]
    )
    job = JobDraft(
        name=asked.name,
        project_id=asked.project_id,
        phases=asked.phases,
        concurrency=asked.concurrency or min(settings.concurrency, settings.max_concurrency),
        checkpoint_frequency=asked.checkpoint_frequency or 1,
        auto_start=asked.auto_start,
        request_id=asked.request_id,
        digest=asked.digest,
    )
    return job, items


def look_of(phases: Sequence[Phase], tasks: Mapping[str, Task], document: Look) -> Look:
    """How the inputs of items are looked at: as their first phase takes them."""
    first = tasks.get(phases[0].task_type) if phases else None
    return document if first is not None and first.takes == "document" else _any_text


def _any_text(_: str) -> str | None:
    return None


def check_items(items: Sequence[ItemDraft], look: Look, settings: BatchSettings) -> None:
    """Raises Invalid where items of a request cannot be taken."""
    _refuse(
        fault for place, item in enumerate(items) for fault in _item_faults(f"items[{place}]", item, look, settings)
    )


def check_job_id(job_id: str) -> None:
    """Raises Invalid where there is none, NotFound where no job can have it."""
    if not job_id:
        raise Invalid(Fault("job_id", "must name a job"))
    if not _JOB_ID.fullmatch(job_id):
        raise NotFound("there is no such job")


def name_faults(field: str, name: str, limit: int, *, required: bool = False) -> Iterator[Fault]:
    """What is wrong with a name of at most `limit` bytes."""
    if required and not name.strip():
        yield Fault(field, "must not be empty")
    size = len(name.encode())
    if size > limit:
        yield Fault(field, f"is {size} bytes long; {limit} are allowed")
    # Cc: a line break in a name would forge a line of whoever shows it.
    if any(unicodedata.category(sign) == "Cc" for sign in name):
        yield Fault(field, "must not contain control characters")


def _refuse(faults: Iterable[Fault]) -> None:
    found = list(islice(faults, _FAULTS + 1))
    if len(found) > _FAULTS:
        found[_FAULTS] = Fault("", f"there is more to mend than these {_FAULTS}")
    if found:
        raise Invalid(*found)


def _options_faults(asked: Asked, settings: BatchSettings) -> Iterator[Fault]:
    for field, value, most in (
        ("concurrency", asked.concurrency, settings.max_concurrency),
        ("checkpoint_frequency", asked.checkpoint_frequency, settings.max_checkpoint_frequency),
    ):
        if not 0 <= value <= most:
            yield Fault(f"options.{field}", f"must be 1 to {most}, or 0 for the default")
    if asked.auto_start and not asked.item_count:
        yield Fault("options.auto_start", "needs items: start the job once they are uploaded")


def _create_items_faults(asked: Asked, look: Look, settings: BatchSettings, into: list[ItemDraft]) -> Iterator[Fault]:
    most = min(settings.max_create_items, settings.max_items)
    if asked.item_count > most:
        yield Fault("items", f"are {asked.item_count}; {most} are allowed in CreateJob, UploadItems takes more")
        return
    for place, item in enumerate(asked.items):
        yield from _item_faults(f"items[{place}]", item, look, settings)
        into.append(item)


def _item_faults(field: str, item: ItemDraft, look: Look, settings: BatchSettings) -> Iterator[Fault]:
    if not item.input:
        yield Fault(f"{field}.input", "must not be empty")
    elif fault := _text_fault(item.input, settings.max_input_bytes) or look(item.input):
        yield Fault(f"{field}.input", fault)
    if item.metadata:
        yield from _map_faults(f"{field}.metadata", item.metadata, settings.max_metadata_bytes, settings)


def _phases_faults(phases: Sequence[Phase], tasks: Mapping[str, Task], settings: BatchSettings) -> Iterator[Fault]:
    if not phases:
        yield Fault("phases", "must have at least one phase")
    if len(phases) > settings.max_phases:
        yield Fault("phases", f"are {len(phases)}; {settings.max_phases} are allowed")
        return
    names: list[str] = []
    for place, phase in enumerate(phases):
        field = f"phases[{place}]"
        if phase.name in names:
            yield Fault(f"{field}.name", f"is the name of an earlier phase: {phase.name}")
        yield from name_faults(f"{field}.name", phase.name, settings.max_name_bytes, required=True)
        yield from name_faults(f"{field}.model", phase.model, settings.max_name_bytes)
        yield from _map_faults(f"{field}.parameters", phase.parameters, settings.max_parameters_bytes, settings)
        yield from _task_faults(field, phase, tuple(names), tasks)
        names.append(phase.name)


def _task_faults(field: str, phase: Phase, before: tuple[str, ...], tasks: Mapping[str, Task]) -> Iterator[Fault]:
    if phase.min_score is not None and not 0 <= phase.min_score <= 1:
        yield Fault(f"{field}.validation.min_score", "must be 0 to 1")
    task = tasks.get(phase.task_type)
    if task is None:
        known = ", ".join(sorted(tasks)) or "none"
        yield Fault(f"{field}.task_type", f"must be a task type that the server has: {known}")
        return
    if phase.validation and not task.scored:
        yield Fault(f"{field}.validation", f"outputs of {task.name} have no score that could be looked at")
    view = PhaseView(
        name=phase.name,
        task_type=phase.task_type,
        model=phase.model,
        use_rag=phase.use_rag,
        parameters=phase.parameters,
        before=before,
    )
    for name, text in task.check(view):
        yield Fault(f"{field}.{name}" if name else field, text)


def _map_faults(field: str, values: Mapping[str, str], limit: int, settings: BatchSettings) -> Iterator[Fault]:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in values.items())
    if size > limit:
        yield Fault(field, f"is {size} bytes long; {limit} are allowed")
        return
    for key, value in values.items():
        yield from name_faults(field, key, settings.max_name_bytes)
        if "\0" in value:
            yield Fault(field, "must not contain the character U+0000")


def _text_fault(text: str, limit: int) -> str | None:
    if len(text) * _BYTES_PER_CHARACTER > limit and (size := len(text.encode())) > limit:
        return f"is {size} bytes long; {limit} are allowed"
    return "must not contain the character U+0000" if "\0" in text else None
