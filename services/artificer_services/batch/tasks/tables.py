"""Finds and validates the settings of one task type: a table of its name within `services.batch.tasks`.

Knows no task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

PLACE = "services.batch.tasks"


def table(tasks: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Returns the settings of the task type `name`. Raises ValueError that names the fault.

    A dot in the name may be an underscore, because environment variables have no dots, or a nested table, which is what
    TOML makes of an unquoted name.
    """
    group, _, last = name.partition(".")
    inner = tasks.get(group, {}) if last else {}
    if not isinstance(inner, Mapping):
        raise ValueError(f"{PLACE}.{group} must be a table")
    values: dict[str, Any] = {}
    for found in (inner.get(last, {}), tasks.get(name, {}), tasks.get(name.replace(".", "_"), {})):
        if not isinstance(found, Mapping):
            raise ValueError(f"{PLACE}.{name} must be a table")
        values |= found
    unknown = values.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"{PLACE}.{name} has no setting {', '.join(sorted(unknown))}")
    try:
        # Environment variables are text; the adapter converts them.
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        # Never `str(error)`: it quotes the values, and API keys are among them.
        faults = [(".".join((PLACE, name, *map(str, fault["loc"]))), fault["msg"]) for fault in error.errors()]
        raise ValueError("; ".join(f"{place}: {text}" for place, text in faults)) from None
