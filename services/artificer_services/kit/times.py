"""Times as databases keep them here: whole microseconds since 1970, UTC.

SQLite has no type for a time, and a float loses microseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_micros(micros: int) -> datetime:
    """Return the time of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def to_micros(time: datetime) -> int:
    """Return the microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)
