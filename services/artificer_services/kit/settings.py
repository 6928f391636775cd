"""A service's own settings out of the gateway's: the table of its name, checked.

Knows no service; used by the composition root and by whatever else is a process's edge.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from diptych import Settings
from diptych.settings.errors import Fault, SettingError, unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    S = TypeVar("S", bound=DataclassInstance)


def table(settings: Settings, name: str, kind: type[S]) -> S:
    """The settings of the service `name`. Raises `SettingError` for those that do not exist or that are wrong."""
    found = settings.services.get(name, {})
    known = [field.name for field in fields(kind)]
    if strange := sorted(found.keys() - set(known)):
        raise SettingError(*(unknown(f"services.{name}.{one}", known) for one in strange))
    try:
        # Environment variables are text; the adapter makes numbers of them.
        return TypeAdapter(kind).validate_python(dict(found))
    except ValidationError as error:
        faults = [
            Fault(".".join(("services", name, *map(str, fault["loc"]))), fault["msg"]) for fault in error.errors()
        ]
        raise SettingError(*faults) from None


def check_names(settings: Settings, names: Collection[str]) -> None:
    """Raises `SettingError` where there is a table of a service that is not one of `names`."""
    if strange := sorted(settings.services.keys() - set(names)):
        raise SettingError(*(unknown(f"services.{one}", names) for one in strange))
