"""The dotted names of all settings, to find the one that was meant by a name in the wrong table.

It knows no service's own settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from . import Settings
from .table import SettingsTable

__all__ = ["elsewhere"]


def elsewhere(setting: str) -> list[str]:
    """Returns the settings of other tables that have the last name of `setting`."""
    return [name for name in _names() if name.rpartition(".")[2] == setting.rpartition(".")[2] and name != setting]


@cache
def _names() -> tuple[str, ...]:
    return tuple(_walked(Settings, ""))


def _walked(model: type[SettingsTable], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for table in _tables(field.annotation):
            yield from _walked(table, f"{prefix}{name}.")


def _tables(annotation: Any) -> Iterator[type[SettingsTable]]:
    """Yields the table, also if it is optional; not those in lists and mappings, whose names have more parts."""
    alternatives = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    for one in alternatives:
        if isinstance(one, type) and issubclass(one, SettingsTable):
            yield one
