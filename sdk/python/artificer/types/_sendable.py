"""What a valid model may have although no transport can carry it.

Models are open: they keep the enum values of a newer server, and answers are not checked. Requests are, in front of
both transports, which would refuse such values each in its own words, or not at all.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import FieldViolation
from .base import Model, OpenEnum

_LONGEST = timedelta(seconds=315_576_000_000)  # of a google.protobuf.Duration
_ALWAYS = (bool, int, float, bytes, type(None))  # what validation has checked


def check_message(model: Model, place: str, found: list[FieldViolation]) -> None:
    """Adds the faults of a message, whose path ends in a full stop, to those that were found."""
    values = model.__dict__
    for name in model.model_fields_set:
        value = values[name]
        if type(value) not in _ALWAYS:
            _check(value, place + name, found)
    for names in model.__oneofs__.values():
        given = [name for name in names if values[name] is not None]
        if len(given) > 1:
            told = " and ".join(map(repr, given))
            found.extend(FieldViolation(place + name, f"only one of {told} may be set") for name in given[1:])


def _check(value: Any, place: str, found: list[FieldViolation]) -> None:
    if isinstance(value, OpenEnum):
        _check_enum(value, place, found)
    elif isinstance(value, str):
        _check_text(value, place, found)
    elif isinstance(value, Model):
        check_message(value, f"{place}.", found)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            if type(one) not in _ALWAYS:
                _check(one, f"{place}[{index}]", found)
    elif isinstance(value, dict):
        for key, one in value.items():
            if isinstance(key, str):
                _check_text(key, place, found)
            if type(one) not in _ALWAYS:
                _check(one, f"{place}.{key}", found)
    elif isinstance(value, timedelta):
        if abs(value) > _LONGEST:
            found.append(FieldViolation(place, "a duration has at most 10 000 years"))
    elif isinstance(value, datetime):
        _check_time(value, place, found)


def _check_enum(value: OpenEnum, place: str, found: list[FieldViolation]) -> None:
    try:
        if not -(2**31) <= value.number < 2**31:
            found.append(FieldViolation(place, f"{value.value} is out of the range of an enum"))
    except ValueError as error:
        found.append(FieldViolation(place, str(error)))


def _check_text(value: str, place: str, found: list[FieldViolation]) -> None:
    if value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError as error:
        printable = place.encode(errors="backslashreplace").decode()
        shown = value[max(0, error.start - 20) : error.start + 20]
        found.append(FieldViolation(printable, f"{shown!r} is not UTF-8: it has half of a surrogate pair"))


def _check_time(value: datetime, place: str, found: list[FieldViolation]) -> None:
    try:
        value.astimezone(UTC) if value.tzinfo else value
    except OverflowError:
        found.append(FieldViolation(place, "in UTC, a time is in the years 1 to 9999"))
