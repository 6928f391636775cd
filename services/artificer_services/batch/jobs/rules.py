"""Validates jobs, phases and items. Pure: values in, values or `Invalid` out, with every fault at once.

Knows no database and no proto. Task types validate their own parameters (`Task.check`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ...kit.names import character_faults
from ..settings import BatchSettings
from ..tasks.api import PhaseView, Task
from .errors import BeyondEnd, Fault, Invalid, NotFound
from .job import ItemDraft, Job, JobDraft, Phase

_FAULTS = 50  # reported at most: a request may have a hundred thousand bad items
_BYTES_PER_CHARACTER = 4  # the maximum in UTF-8
_JOB_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")

InputCheck = Callable[[str], str | None]
"""Returns why an input can never be read; None if it may be readable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job as a client requests it. `items` are made lazily; `digest` identifies the request's content."""

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
    request: JobRequest, tasks: Mapping[str, Task], document: InputCheck, settings: BatchSettings
) -> tuple[JobDraft, list[ItemDraft]]:
    """Returns a valid job and its items; `document` checks inputs that name documents. Raises Invalid."""
    items: list[ItemDraft] = []
    check = input_check_of(request.phases, tasks, document)
    _refuse(
        [
            *name_faults("name", request.name, settings.max_name_bytes, required=True),
            *name_faults("project_id", request.project_id, settings.max_name_bytes),
            *name_faults("request_id", request.request_id, settings.max_name_bytes),
            *_phases_faults(request.phases, tasks, settings),
            *_options_faults(request, settings),
            *_create_items_faults(request, check, settings, items),
        ]
    )
    job = JobDraft(
        name=request.name,
        project_id=request.project_id,
        phases=request.phases,
        concurrency=request.concurrency or min(settings.concurrency, settings.max_concurrency),
        checkpoint_frequency=request.checkpoint_frequency or 1,
        auto_start=request.auto_start,
        request_id=request.request_id,
        digest=request.digest,
    )
    return job, items


def input_check_of(phases: Sequence[Phase], tasks: Mapping[str, Task], document: InputCheck) -> InputCheck:
    """Returns the check for the inputs of items, which depends on what the first phase takes."""
    first = tasks.get(phases[0].task_type) if phases else None
    return document if first is not None and first.takes == "document" else _any_text


def _any_text(_: str) -> str | None:
    return None


def check_items(items: Sequence[ItemDraft], check: InputCheck, settings: BatchSettings) -> None:
    """Raises Invalid if an item of a request is not valid."""
    _refuse(
        fault for place, item in enumerate(items) for fault in _item_faults(f"items[{place}]", item, check, settings)
    )


def check_blobs(items: Sequence[ItemDraft], missing: Callable[[Sequence[str]], set[str]]) -> None:
    """Raises Invalid if the input of an item names a blob that does not exist; `missing` returns those ids."""
    named = {place: item.input.removeprefix("blob:") for place, item in enumerate(items) if item.input[:5] == "blob:"}
    if not named:
        return
    unknown = missing(sorted(set(named.values())))
    _refuse(
        Fault(f"items[{place}].input", f"there is no blob {blob_id}; upload it first")
        for place, blob_id in named.items()
        if blob_id in unknown
    )


def check_job_id(job_id: str) -> None:
    """Raises Invalid if the id is empty, NotFound if no job can have it."""
    if not job_id:
        raise Invalid(Fault("job_id", "must not be empty"))
    if not _JOB_ID.fullmatch(job_id):
        raise NotFound("there is no such job")


def check_item(index: int, job: Job) -> None:
    """Raises Invalid for a negative index, BeyondEnd if the job has no such item."""
    if index < 0:
        raise Invalid(Fault("item_index", "must not be negative"))
    if index >= job.total:
        raise BeyondEnd(f"job {job.id} has no item {index}: it has {job.total} items, counted from 0")


def name_faults(field: str, name: str, limit: int, *, required: bool = False) -> Iterator[Fault]:
    """Yields the faults of a name, which may have `limit` bytes."""
    if required and not name.strip():
        yield Fault(field, "must not be empty")
    size = len(name.encode())
    if size > limit:
        yield Fault(field, f"is {size} bytes long; at most {limit} are allowed")
    yield from character_faults(field, name)


def _refuse(faults: Iterable[Fault]) -> None:
    found = list(islice(faults, _FAULTS + 1))
    if len(found) > _FAULTS:
        found[_FAULTS] = Fault("", f"there are more faults; only the first {_FAULTS} are listed")
    if found:
        raise Invalid(*found)


def _options_faults(request: JobRequest, settings: BatchSettings) -> Iterator[Fault]:
    for field, value, most in (
        ("concurrency", request.concurrency, settings.max_concurrency),
        ("checkpoint_frequency", request.checkpoint_frequency, settings.max_checkpoint_frequency),
    ):
        if not 0 <= value <= most:
            yield Fault(f"options.{field}", f"is {value}; must be 1 to {most}, or 0 for the default")
    if request.auto_start and not request.item_count:
        yield Fault("options.auto_start", "needs items; upload them first, then start the job")


def _create_items_faults(
    request: JobRequest, check: InputCheck, settings: BatchSettings, into: list[ItemDraft]
) -> Iterator[Fault]:
    most = min(settings.max_create_items, settings.max_items)
    if request.item_count > most:
        yield Fault("items", f"has {request.item_count} entries; CreateJob allows {most}; send more with UploadItems")
        return
    for place, item in enumerate(request.items):
        yield from _item_faults(f"items[{place}]", item, check, settings)
        into.append(item)


def _item_faults(field: str, item: ItemDraft, check: InputCheck, settings: BatchSettings) -> Iterator[Fault]:
    if not item.input:
        yield Fault(f"{field}.input", "must not be empty")
    elif fault := _text_fault(item.input, settings.max_input_bytes) or check(item.input):
        yield Fault(f"{field}.input", fault)
    if item.metadata:
        yield from _map_faults(f"{field}.metadata", item.metadata, settings.max_metadata_bytes, settings)


def _phases_faults(phases: Sequence[Phase], tasks: Mapping[str, Task], settings: BatchSettings) -> Iterator[Fault]:
    if not phases:
        yield Fault("phases", "must have at least one phase")
    if len(phases) > settings.max_phases:
        yield Fault("phases", f"has {len(phases)} entries; at most {settings.max_phases} are allowed")
        return
    names: list[str] = []
    for place, phase in enumerate(phases):
        field = f"phases[{place}]"
        if phase.name in names:
            yield Fault(f"{field}.name", f"duplicates the name of an earlier phase: {phase.name!r}")
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
        yield Fault(f"{field}.task_type", f"unknown task type {phase.task_type[:64]!r}; expected one of: {known}")
        return
    if phase.validation and not task.scored:
        yield Fault(f"{field}.validation", f"{task.name} gives no scores to validate")
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
        yield Fault(field, f"is {size} bytes long; at most {limit} are allowed")
        return
    for key, value in values.items():
        yield from name_faults(field, key, settings.max_name_bytes)
        if "\0" in value:
            yield Fault(field, "must not contain the character U+0000")


def _text_fault(text: str, limit: int) -> str | None:
    if len(text) * _BYTES_PER_CHARACTER > limit and (size := len(text.encode())) > limit:
        return f"is {size} bytes long; at most {limit} are allowed"
    return "must not contain the character U+0000" if "\0" in text else None
