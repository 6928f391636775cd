"""Translates between protos and the values of `jobs`, field by field.

Validates only what a value cannot represent. Knows neither store nor context.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from artificer.batch.v1 import batch_service_pb2 as pb

from ..jobs.errors import Fault, Invalid
from ..jobs.job import Blob, ItemDraft, Job, LogEntry, Phase, Result
from ..jobs.rules import JobRequest
from ..jobs.states import ItemState, JobState, Verb
from ..tasks.api import Task

ID_DIGITS = 16  # of a log line's id, zero-padded so that ids sort as text

State = TypeVar("State", bound=StrEnum)

JOB_STATES = {state: pb.JobStatus.Value(f"JOB_STATUS_{state.value}") for state in JobState}
ITEM_STATES = {state: pb.ItemStatus.Value(f"ITEM_STATUS_{state.value}") for state in ItemState}
COMMANDS = {pb.Command.Value(f"COMMAND_{verb.name}"): verb for verb in Verb}
_LEVELS = (
    (logging.ERROR, pb.LOG_LEVEL_ERROR),
    (logging.WARNING, pb.LOG_LEVEL_WARNING),
    (logging.INFO, pb.LOG_LEVEL_INFO),
    (logging.NOTSET, pb.LOG_LEVEL_DEBUG),
)
_MICROS = 1_000_000


def job_request_in(request: pb.CreateJobRequest, request_id: str) -> JobRequest:
    """Returns the job that a client requests. Slow for many items: call it in a thread."""
    return JobRequest(
        name=request.name,
        project_id=request.project_id,
        phases=tuple(_phase_in(phase) for phase in request.phases),
        items=items_in(request.items),
        item_count=len(request.items),
        concurrency=request.options.concurrency,
        checkpoint_frequency=request.options.checkpoint_frequency,
        auto_start=request.options.auto_start,
        request_id=request_id,
        digest=_digest(request) if request_id else b"",
    )


def _digest(request: pb.CreateJobRequest) -> bytes:
    """Returns the digest of a request without its id, which may come as a field or as a header."""
    request_id = request.request_id
    request.ClearField("request_id")  # instead of a copy, because there may be many items
    try:
        return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
    finally:
        request.request_id = request_id


def items_in(items: Iterable[pb.Item]) -> Iterator[ItemDraft]:
    """Yields the items of a request."""
    for item in items:
        yield ItemDraft(input=item.input, metadata=dict(item.metadata))


def _phase_in(phase: pb.Phase) -> Phase:
    validated = phase.validation.enabled
    return Phase(
        name=phase.name,
        task_type=phase.task_type,
        model=phase.model,
        use_rag=phase.use_rag,
        validation=validated,
        min_score=phase.validation.min_score if validated else None,
        parameters=dict(phase.parameters),
    )


def job_states_in(values: Sequence[int]) -> tuple[JobState, ...]:
    """Returns the states to filter jobs by. Raises Invalid."""
    return _states_in(values, JOB_STATES)


def item_states_in(values: Sequence[int], allowed: Sequence[ItemState] = tuple(ItemState)) -> tuple[ItemState, ...]:
    """Returns the states to filter items by. Raises Invalid."""
    return _states_in(values, {state: ITEM_STATES[state] for state in allowed})


def _states_in(values: Sequence[int], table: Mapping[State, int]) -> tuple[State, ...]:
    known = {number: state for state, number in table.items()}
    names = ", ".join(state.value for state in table)
    faults = [
        Fault(f"status[{place}]", f"must be one of {names}") for place, value in enumerate(values) if value not in known
    ]
    if faults:
        raise Invalid(*faults)
    return tuple(sorted({known[value] for value in values}))


def job_out(job: Job) -> pb.Job:
    """Returns a job as a proto."""
    converted = pb.Job(
        id=job.id,
        name=job.name,
        project_id=job.project_id,
        status=JOB_STATES[job.state],
        total_items=job.total,
        completed_items=job.counts.completed,
        failed_items=job.counts.failed,
        current_phase=job.current_phase,
        cost_incurred=job.counts.cost_micros / _MICROS,
        tokens_used=job.counts.tokens,
        create_time=_stamp(job.created),
        phases=[_phase_out(phase) for phase in job.phases],
        options=pb.JobOptions(
            concurrency=job.concurrency, checkpoint_frequency=job.checkpoint_frequency, auto_start=job.auto_start
        ),
    )
    if job.started is not None:
        converted.start_time.CopyFrom(_stamp(job.started))
    if job.ended is not None:
        converted.complete_time.CopyFrom(_stamp(job.ended))
    return converted


def _phase_out(phase: Phase) -> pb.Phase:
    message = pb.Phase(
        name=phase.name,
        task_type=phase.task_type,
        model=phase.model,
        use_rag=phase.use_rag,
        parameters=phase.parameters,
    )
    if phase.validation:
        message.validation.enabled = True
        message.validation.min_score = phase.min_score or 0.0
    return message


def progress_out(job: Job) -> pb.Progress:
    """Returns a job's progress as a proto."""
    steps = job.total * len(job.phases)
    return pb.Progress(
        completed_items=job.counts.completed,
        total_items=job.total,
        current_phase=job.current_phase,
        progress_percentage=100 * min(job.counts.steps / steps, 1) if steps else 0.0,
        failed_items=job.counts.failed,
        status=JOB_STATES[job.state],
    )


def result_out(result: Result) -> pb.Result:
    """Returns an item with its outcome as a proto."""
    return pb.Result(
        item_index=result.index,
        input=result.input,
        output=result.output,
        status=ITEM_STATES[result.state],
        phase_outputs=result.phase_outputs,
        error=result.error,
        attempts=result.attempts,
        metadata=result.metadata,
    )


def log_out(entry: LogEntry) -> pb.LogEntry:
    """Returns a log line as a proto."""
    line = entry.line
    stamp = Timestamp()
    stamp.FromMicroseconds(line.time or 0)  # a stored line has a time
    return pb.LogEntry(
        id=f"{entry.id:0{ID_DIGITS}d}",
        create_time=stamp,
        level=next(name for level, name in _LEVELS if line.level >= level),
        message=line.message,
        item_index=line.item,
        phase=line.phase,
        worker=line.worker,
    )


def log_id_in(field: str, id_: str) -> int:
    """Returns the number in a log line's id; 0, before the first, for an empty id. Raises Invalid."""
    if not id_:
        return 0
    if len(id_) != ID_DIGITS or not (id_.isascii() and id_.isdigit()):
        raise Invalid(Fault(field, f"must be the id of a log line, such as {42:0{ID_DIGITS}d}"))
    return int(id_)


def blob_out(blob: Blob) -> pb.Blob:
    """Returns a blob as a proto."""
    return pb.Blob(id=blob.id, size=blob.size, content_type=blob.content_type)


def task_type_out(task: Task) -> pb.TaskType:
    """Returns a task type as a proto."""
    return pb.TaskType(name=task.name, description=task.description, scored=task.scored)


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
