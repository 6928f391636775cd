"""Finds and validates the settings of one task type: a table of its name within `services.batch.tasks`.

Adds the settings of services whose task types need them. Knows task types by their names only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .settings import read_table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

PLACE = "services.batch.tasks"
SERVICES = ("ai",)
"""The services whose settings task types read too, at their names in `services.batch.tasks`."""


_INHERITED = {"ocr.extract": "ocr", "ocr.searchable": "ocr", "document.convert": "convert"}
"""Task types that have the settings of a service, unless their own table has others."""


def with_services(tasks: Mapping[str, Any], services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the settings of task types with those of services that they need.

    These are the tables of `SERVICES`, unless there is such a table already, and the defaults of task types that do the
    work of a service. Raises `SettingError` if a task type's settings are no table.
    """
    found = {name: services[name] for name in SERVICES if name in services} | dict(tasks)
    for name, service in _INHERITED.items():
        # The number of its workers is the service's own: a worker of a job does one item at a time.
        if inherited := {key: value for key, value in services.get(service, {}).items() if key != "workers"}:
            found[name] = inherited | given(tasks, name)
    return found


def table(tasks: Mapping[str, Any], name: str, kind: type[T], **defaults: Any) -> T:
    """Returns the settings of the task type `name`, with defaults of its own. Raises `SettingError`."""
    return read_table(defaults | given(tasks, name), f"{PLACE}.{name}", kind)


def given(tasks: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns what the settings have for the task type `name`. Raises `SettingError` if that is no table.

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
    return values


def _no_table(name: str) -> ValueError:
    from diptych.settings.errors import Fault, SettingError

    return SettingError(Fault(f"{PLACE}.{name}", "expected a table"))
