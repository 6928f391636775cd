"""The phases of a pipeline's steps, and whether the steps fit together. Knows no calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .steps import Step
    from .types.batch import Phase

_OUTPUT = re.compile(r"(?<!\\)\{\{\s*outputs\.([^}]*?)\s*\}\}")


def phases_of_steps(steps: Sequence[Step]) -> list[Phase]:
    """Returns a phase for each step. Raises ValueError for steps that do not fit together, TypeError for others."""
    if not steps:
        raise ValueError("a pipeline needs at least one step")
    from .steps import Step

    names: list[str] = []
    for number, step in enumerate(steps):
        if not isinstance(step, Step):
            raise TypeError(f"step {number + 1} is no step of artificer.steps but {type(step).__name__}")
        here = f"step {number + 1} ({step.task_type})"
        if number and not _fits(step, steps[number - 1]):
            before = f"step {number} ({steps[number - 1].task_type})"
            raise ValueError(f"{here} reads a {step.takes}, but {before} gives a {steps[number - 1].gives}")
        for name in (name for template in step.templates() for name in _OUTPUT.findall(template)):
            if name not in names:
                known = f"the steps before it are {', '.join(names)}" if names else "no step comes before it"
                raise ValueError(f"{here}: there is no output {name!r}; {known}")
        names.append(_name(step, names, here))
    return [step.phase(name) for step, name in zip(steps, names, strict=True)]


def _fits(step: Step, before: Step) -> bool:
    """Whether a step can read what the one before it gives; one that indexes a `text` of its own reads nothing."""
    return "any" in (step.takes, before.gives) or step.takes == before.gives or bool(getattr(step, "text", None))


def _name(step: Step, taken: Sequence[str], here: str) -> str:
    if step.name in taken:
        raise ValueError(f"{here}: another step has the name {step.name!r} already")
    if step.name:
        return step.name
    base = step.task_type.rpartition(".")[2]
    return next(name for name in (base, *(f"{base}{n}" for n in range(2, 100))) if name not in taken)
