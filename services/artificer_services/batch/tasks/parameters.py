"""Parses and validates the parameters of a phase, which are text.

Pure. Knows no task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from .api import PhaseView

Fault = tuple[str, str]  # the field of the phase and its fault
Kind = Callable[[str], object]  # raises ValueError with what was expected


def faults_of(phase: PhaseView, kinds: Mapping[str, Kind], *, rag: bool = False, models: bool = False) -> list[Fault]:
    """Returns the faults of a phase whose parameters have these kinds.

    `rag`: the task type supports use_rag; `models`: it has models to choose from.
    """
    found: list[Fault] = []
    if phase.model and not models:
        found.append(("model", f"must be empty: {phase.task_type} has no models"))
    if phase.use_rag and not rag:
        found.append(("use_rag", f"{phase.task_type} does not support use_rag"))
    for name, value in phase.parameters.items():
        kind = kinds.get(name)
        if kind is None:
            have = ", ".join(sorted(kinds)) or "none"
            found.append((f"parameters.{name}", f"unknown parameter of {phase.task_type}; expected one of: {have}"))
            continue
        try:
            kind(value)
        except ValueError as error:
            found.append((f"parameters.{name}", str(error)))
    return found


def one_of(choices: Collection[str]) -> Callable[[str], str]:
    """Returns a kind that accepts one of several words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {text[:64]!r}")
        return text

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """Returns a kind that accepts a number from `low` to `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}, not {text[:64]!r}")
        return value

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """Returns a kind that accepts a whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {text[:64]!r}")
        return value

    return read
