"""Converts times to and from the databases' form: whole microseconds since 1970, UTC.

SQLite has no time type, and a float would lose microseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_micros(micros: int) -> datetime:
    """Returns the time `micros` microseconds after the start of 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def to_micros(time: datetime) -> int:
    """Returns the microseconds from the start of 1970 to `time`."""
    return (time - _EPOCH) // timedelta(microseconds=1)
