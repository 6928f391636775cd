"""Converts rows to values and back: times, phases, metadata, jobs.

Knows no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from ..jobs.job import Counts, Job, Phase
from ..jobs.states import JobState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(micros: int) -> datetime:
    """Returns microseconds since 1970 as a time."""
    return _EPOCH + timedelta(microseconds=micros)


def phases_text(phases: tuple[Phase, ...]) -> str:
    """Returns phases in their stored form, JSON."""
    return orjson.dumps([asdict(phase) for phase in phases]).decode()


@lru_cache(maxsize=512)  # a job's phases are read often and never change
def phases_of(text: str) -> tuple[Phase, ...]:
    """Returns phases from their stored form."""
    return tuple(Phase(**phase) for phase in orjson.loads(text))


def mapping_text(mapping: Mapping[str, str]) -> str:
    """Returns metadata in its stored form, JSON; empty if there is none."""
    return orjson.dumps(mapping).decode() if mapping else ""


def mapping_of(text: str) -> dict[str, str]:
    """Returns metadata from its stored form."""
    found: dict[str, str] = orjson.loads(text) if text else {}
    return found


def size_of(text: str) -> int:
    """Returns the size of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def storable(text: str) -> str:
    """Returns a text that both databases accept: outputs of libraries may contain NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def job_of(row: Any) -> Job:
    """Returns a job from the columns of `jobs.JOB`, in order."""
    (_, id_, name, project_id, state, text, concurrency, frequency, auto_start, total, *rest) = row
    (completed, failed, steps, tokens, cost, created, started, ended, phase) = rest
    phases = phases_of(text)
    current = phase is not None and not JobState(state).ended
    return Job(
        id=id_,
        name=name,
        project_id=project_id,
        state=JobState(state),
        phases=phases,
        concurrency=concurrency,
        checkpoint_frequency=frequency,
        auto_start=bool(auto_start),
        total=total,
        counts=Counts(completed=completed, failed=failed, steps=steps, tokens=tokens, cost_micros=cost),
        current_phase=phases[phase].name if current else "",
        created=moment(created),
        started=None if started is None else moment(started),
        ended=None if ended is None else moment(ended),
    )
