"""Values as people read them: dicts, lists and texts without the fields that are empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from ...types.base import OpenEnum
from ..text import moment

_MANY_NUMBERS = 8  # a vector has hundreds
_EMPTY: tuple[object, ...] = (None, "", [], {})


def plain(value: Any) -> Any:
    """Returns a value as dicts, lists, texts, numbers and bools; enums by their short names, times as local ones."""
    if isinstance(value, BaseModel):
        return _present({name: plain(getattr(value, name)) for name in type(value).model_fields})
    if is_dataclass(value) and not isinstance(value, type):
        return _present({one.name: plain(getattr(value, one.name)) for one in fields(value)})
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        if len(value) > _MANY_NUMBERS and all(isinstance(one, float | int) for one in value):
            return f"[{value[0]:.4g}, {value[1]:.4g}, … {len(value)} numbers]"
        return [plain(one) for one in value]
    if isinstance(value, OpenEnum):
        return "" if value.known and not value.number else value.name.lower()
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the texts, numbers and bools of nested dicts by their dotted names; a list of dicts is counted."""
    for name, one in value.items():
        if isinstance(one, Mapping):
            yield from flat(one, f"{prefix}{name}.")
        elif isinstance(one, list):
            inner = any(isinstance(each, Mapping | list) for each in one)
            yield prefix + name, str(len(one)) if inner else ", ".join(map(str, one))
        else:
            yield prefix + name, one


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in values.items() if one not in _EMPTY}
