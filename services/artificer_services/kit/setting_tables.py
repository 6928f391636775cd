"""Walks the tables of a service's settings: tables in tables, tables by name, and tables of several kinds.

A table of several kinds says which it is by one of its settings (pydantic's `Discriminator`), such as `kind`. Knows no
service, and no setting by name.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import Discriminator

from diptych.settings.errors import Fault, unknown


def unknown_names(values: Mapping[str, Any], place: str, kind: type) -> Iterator[Fault]:
    """Yields a fault for each setting that the dataclass `kind`, or a table in it, does not have."""
    known = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    yield from (unknown(f"{place}.{name}", names) for name in sorted(map(str, values.keys() - set(names))))
    for name in names:
        if name in values:
            yield from _below(values[name], f"{place}.{name}", known[name])


def _below(value: Any, place: str, annotation: Any) -> Iterator[Fault]:
    """Yields the faults in a value; of one that does not fit its type, nothing: the validation reports it."""
    if not isinstance(value, Mapping):
        return
    if isinstance(annotation, type) and is_dataclass(annotation):
        yield from unknown_names(value, place, annotation)
        return
    origin, inside = get_origin(annotation), get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        for name, table in value.items():
            yield from _below(table, f"{place}.{name}", inside[1])
    elif origin is Annotated:
        setting = next((one.discriminator for one in inside[1:] if isinstance(one, Discriminator)), "")
        yield from _below(value, place, _chosen(value, inside[0], setting) if isinstance(setting, str) else inside[0])
    elif origin in (Union, types.UnionType):
        for one in inside:
            yield from _below(value, place, one)


def _chosen(value: Mapping[str, Any], union: Any, setting: str) -> Any:
    """Returns the kind of table that its discriminating setting names; None if it names none."""
    for one in get_args(union):
        if value.get(setting) in get_args(get_type_hints(one).get(setting)):
            return one
    return None


def place_of(names: Sequence[str], place: str, values: Mapping[str, Any]) -> str:
    """Returns the name of a setting; pydantic's location has the kinds of tables too, which stand in no name."""
    parts: list[str] = [place]
    here: Any = values
    for name in names:
        if isinstance(here, Mapping) and name not in here and name in here.values():
            continue  # the kind of this table
        parts.append(name)
        here = here.get(name) if isinstance(here, Mapping) else None
    return ".".join(parts)


def not_finite(read: Any, place: str) -> Iterator[Fault]:
    """Yields a fault for each number of a dataclass of settings that is infinite or NaN."""
    if isinstance(read, float) and not math.isfinite(read):
        yield Fault(place, f"expected a finite number, got {read}")
    elif isinstance(read, Mapping):
        for name, value in read.items():
            yield from not_finite(value, f"{place}.{name}")
    elif is_dataclass(read):
        for field in fields(read):
            yield from not_finite(getattr(read, field.name), f"{place}.{field.name}")
