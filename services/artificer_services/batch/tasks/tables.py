"""Finds and validates the settings of one task type: a table of its name within `services.batch.tasks`.

Knows no task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ...kit.settings import read_table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

PLACE = "services.batch.tasks"


def table(tasks: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Returns the settings of the task type `name`. Raises `SettingError`.

    A dot in the name may be an underscore, because environment variables have no dots, or a nested table, which is what
    TOML makes of an unquoted name.
    """
    group, _, last = name.partition(".")
    inner = tasks.get(group, {}) if last else {}
    if not isinstance(inner, Mapping):
        raise _no_table(group)
    values: dict[str, Any] = {}
    for found in (inner.get(last, {}), tasks.get(name, {}), tasks.get(name.replace(".", "_"), {})):
        if not isinstance(found, Mapping):
            raise _no_table(name)
        values |= found
    return read_table(values, f"{PLACE}.{name}", kind)


def _no_table(name: str) -> ValueError:
    from diptych.settings.errors import Fault, SettingError

    return SettingError(Fault(f"{PLACE}.{name}", "expected a table"))
