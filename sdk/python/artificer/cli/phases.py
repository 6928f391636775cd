"""Turns a command's phase options into models.

Knows no server, which validates the task types and their parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..types.batch import Phase, Validation
from .errors import Usage

DEFAULT = ("ocr.extract", "text.normalize")


def phases_of(
    types: Iterable[str],
    *,
    parameters: Iterable[str] = (),
    models: Iterable[str] = (),
    scores: Iterable[str] = (),
    rag: Iterable[str] = (),
) -> list[Phase]:
    """Returns the phases. `types` are TYPE or NAME=TYPE; the others refer to a phase by name or type. Raises Usage."""
    phases: list[Phase] = []
    for text in types:
        name, equals, task_type = text.rpartition("=")
        if not task_type or (equals and not name):
            raise Usage(f"--phase '{text}': expected TYPE or NAME=TYPE")
        # A dict that is not given is not sent, even if it is filled later.
        phases.append(Phase(name=name or _free_name(task_type, phases), task_type=task_type, parameters={}))
    for phase, key, value in _parameters(phases, parameters):
        phase.parameters[key] = value
    for phase, value in _values("--model", phases, models):
        phase.model = value
    for phase, value in _values("--min-score", phases, scores):
        phase.validation = Validation(enabled=True, min_score=_number(value))
    for text in rag:
        for phase in _named("--rag", phases, text):
            phase.use_rag = True
    return phases


def _free_name(task_type: str, others: list[Phase]) -> str:
    base = name = task_type.rpartition(".")[2] or task_type
    number = 2
    while any(phase.name == name for phase in others):
        name, number = f"{base}-{number}", number + 1
    return name


def _parameters(phases: list[Phase], texts: Iterable[str]) -> Iterator[tuple[Phase, str, str]]:
    """Parse PHASE.KEY=VALUE. Task types contain dots, so the known phases determine where the key begins."""
    for text in texts:
        place, equals, value = text.partition("=")
        found = [
            (phase, place.removeprefix(f"{known}."))
            for phase in phases
            for known in dict.fromkeys((phase.name, phase.task_type))
            if place.startswith(f"{known}.")
        ]
        if not equals or not found:
            raise Usage(
                f"--phase-param '{text}': expected PHASE.KEY=VALUE with a PHASE that is one of {_names(phases)}"
            )
        yield from ((phase, key, value) for phase, key in found)


def _values(option: str, phases: list[Phase], texts: Iterable[str]) -> Iterator[tuple[Phase, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Usage(f"{option} '{text}': expected PHASE=VALUE")
        yield from ((phase, value) for phase in _named(option, phases, name))


def _named(option: str, phases: list[Phase], name: str) -> list[Phase]:
    found = [phase for phase in phases if name in (phase.name, phase.task_type)]
    if not found:
        raise Usage(f"{option}: unknown phase '{name}'; expected one of {_names(phases)}")
    return found


def _names(phases: list[Phase]) -> str:
    return ", ".join(phase.name for phase in phases)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Usage(f"--min-score '{text}': expected a number from 0 to 1") from None
