"""A service's own settings out of the gateway's: the table of its name, checked.

Knows no service; used by the composition root and by whatever else is a process's edge.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from diptych import Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    S = TypeVar("S", bound=DataclassInstance)


def table(settings: Settings, name: str, kind: type[S]) -> S:
    """The settings of the service `name`. Raises ValueError for those that it does not have or that are wrong."""
    found = settings.services.get(name, {})
    unknown = found.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"services.{name} has no setting {', '.join(sorted(unknown))}")
    try:
        # Environment variables are text; the adapter makes numbers of them.
        return TypeAdapter(kind).validate_python(dict(found))
    except ValidationError as error:
        faults = [(".".join(("services", name, *map(str, fault["loc"]))), fault["msg"]) for fault in error.errors()]
        raise ValueError("; ".join(f"{place}: {text}" for place, text in faults)) from None
