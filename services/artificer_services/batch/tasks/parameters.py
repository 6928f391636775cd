"""The parameters of a phase, which come as text: read, and refused with a reason where they cannot be.

Pure. Knows no task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from .api import PhaseView

Fault = tuple[str, str]  # the field of the phase, and what is wrong with it
Kind = Callable[[str], object]  # raises ValueError, which says what is wanted


def faults_of(phase: PhaseView, kinds: Mapping[str, Kind], *, rag: bool = False) -> list[Fault]:
    """What is wrong with a phase whose parameters are of these kinds; `rag`: the task type looks for passages."""
    found: list[Fault] = []
    if phase.use_rag and not rag:
        found.append(("use_rag", f"{phase.task_type} looks for no passages"))
    for name, value in phase.parameters.items():
        kind = kinds.get(name)
        if kind is None:
            have = ", ".join(sorted(kinds)) or "none"
            found.append((f"parameters.{name}", f"{phase.task_type} has no such parameter; it has: {have}"))
            continue
        try:
            kind(value)
        except ValueError as error:
            found.append((f"parameters.{name}", str(error)))
    return found


def one_of(choices: Collection[str]) -> Callable[[str], str]:
    """A kind that is one of several words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {text[:64]!r}")
        return text

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """A kind that is a number from `low` to `high`."""

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
    """A kind that is a whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {text[:64]!r}")
        return value

    return read
