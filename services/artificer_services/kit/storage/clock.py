"""The clock of the database, for stored times: processes on other machines may have another time.

Knows no table.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import BigInteger, ColumnElement, Connection, literal, literal_column

_NOW: dict[str, Callable[[], ColumnElement[int]]] = {
    "sqlite": lambda: literal(time.time_ns() // 1000),  # all its processes are on one machine
    "postgresql": lambda: literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", BigInteger),
}


def now(connection: Connection) -> ColumnElement[int]:
    """Returns an expression for the current time, in microseconds since 1970."""
    return _NOW[connection.dialect.name]()
