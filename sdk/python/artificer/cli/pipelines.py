"""Reads a pipeline from a file in YAML or JSON: `{"name": …, "steps": [{"type": "ocr.extract", …}]}`."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

import yaml

from .. import steps
from .errors import Usage, fault

_KINDS: dict[str, type[steps.Step]] = {
    kind._task: kind
    for kind in vars(steps).values()
    if isinstance(kind, type) and issubclass(kind, steps.Step) and kind._task
}


def read(name: str) -> tuple[str | None, list[steps.Step]]:
    """Returns the name and the steps of the pipeline in a file, `-` for standard input. Raises Usage, OSError."""
    try:
        if name == "-":
            found = yaml.safe_load(sys.stdin)
        else:
            with open(name, encoding="utf-8") as file:
                found = yaml.safe_load(file)
    except yaml.YAMLError as error:
        raise Usage(f"{name} is not YAML: {error}") from None
    except (ValueError, RecursionError) as error:
        raise Usage(f"{name} is not YAML: {fault(error)}") from None
    listed = found.get("steps") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(listed, list) or found.keys() - {"name", "steps"}:
        raise Usage(f"{name}: expected an object with a list of steps, and perhaps a name")
    return found.get("name"), [_step(number, one) for number, one in enumerate(listed, 1)]


def _step(number: int, given: Any) -> steps.Step:
    if isinstance(given, str):
        given = {"type": given}
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        raise Usage(f"step {number}: expected a type such as ocr.extract, or an object with one")
    values = dict(given)
    kind = _KINDS.get(values["type"], steps.Task)
    if kind is not steps.Task:
        del values["type"]
    known = {one.name for one in fields(kind)}
    if unknown := values.keys() - known:
        raise Usage(
            f"step {number}: unknown field {', '.join(sorted(map(str, unknown)))}; expected {', '.join(sorted(known))}"
        )
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise Usage(f"step {number}: {error}") from None
