"""The settings of one task type: a table within `services.batch.tasks`, by the type's name.

Owns how a table is found and checked. Knows no task.
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
    """The settings of the task type `name`. Raises ValueError, which names what is wrong.

    A dot in the name may be an underscore, since names of environment variables have no dots, and may part a table
    within a table, as TOML has it where the name is not quoted.
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
        # Environment variables are text; the adapter makes numbers of them.
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        # Never `str(error)`: it repeats the values, and keys are among them.
        faults = [(".".join((PLACE, name, *map(str, fault["loc"]))), fault["msg"]) for fault in error.errors()]
        raise ValueError("; ".join(f"{place}: {text}" for place, text in faults)) from None
