"""Extends SQLAlchemy's expression language by what the statements need in both dialects.

Statements are compiled once and executed by the driver: SQLAlchemy's execution measured half of an item's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ClauseElement,
    ColumnElement,
    Dialect,
    Insert,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    insert,
    literal_column,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine

from . import schema


class _Compiler(SQLiteCompiler):
    """Renders hints, which SQLAlchemy omits for SQLite although SQLite has INDEXED BY."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


_SQLITE = sqlite.dialect(paramstyle="named")
_SQLITE.statement_compiler = _Compiler

CLOCK = "now_micros"  # a function registered on every SQLite connection

# Constants are literal, so that the planner sees them. SQLAlchemy adds an OFFSET parameter to SQLite's LIMIT unless one
# is given.
ZERO, ONE, NOTHING = (literal_column(text, kind) for text, kind in (("0", Integer), ("1", Integer), ("''", Text)))


class Statement:
    """A statement, compiled per dialect on first use. `keys` are the columns of an insert without values."""

    __slots__ = ("_compiled", "_core", "_keys")

    def __init__(self, core: ClauseElement, keys: Sequence[str] | None = None) -> None:
        self._core, self._keys = core, keys
        self._compiled: dict[str, str] = {}

    def of(self, dialect: Dialect) -> str:
        """Returns the SQL. The caller supplies every parameter."""
        found = self._compiled.get(dialect.name)
        if found is None:
            target = _SQLITE if dialect.name == "sqlite" else dialect
            compiled = self._core.compile(dialect=target, column_keys=self._keys)
            found = self._compiled[dialect.name] = str(compiled)
        return found


def given(name: str, kind: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """Returns a parameter; without a type it takes that of the expression it is compared with."""
    return bindparam(name, type_=kind)


def by(index: str, chosen: Select[Any]) -> Select[Any]:
    """Returns a select that uses one of the partial indexes of items.

    SQLite has no statistics of a new job, and would read all of its items instead.
    """
    return chosen.with_hint(schema.items, f"INDEXED BY ix_batch_items_{index}", "sqlite")


def adding(table: Any, *columns: str) -> Statement:
    """Returns a statement that inserts rows given as mappings of these columns."""
    return Statement(insert(table).inline(), columns)


def upsert(table: Any, dialect: str) -> Any:
    """Returns an insert with an ON CONFLICT clause to add."""
    statement: Insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect](table)
    return statement


class Now(ColumnElement[int]):
    """Microseconds since 1970 by the database's clock, which advances within a transaction."""

    inherit_cache = True
    type = BigInteger()


@compiles(Now, "sqlite")
def _(element: Now, compiler: Any, **_: Any) -> str:
    return f"{CLOCK}()"


@compiles(Now, "postgresql")
def _(element: Now, compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


def at_least(time: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[Any]:
    """Returns a time, or `earlier` if the clock was set back in between; NULL for NULL."""
    return case((time < earlier, earlier), else_=time)


class InValues(ColumnElement[bool]):
    """`column IN values`, with all values in one parameter made by `packed`."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        kind: TypeEngine[Any] = Text() if isinstance(column.type, Text) else BigInteger()
        self.column, self.plain, self.array = column, bindparam(name, type_=Text()), bindparam(name, type_=ARRAY(kind))


@compiles(InValues, "sqlite")
def _(element: InValues, compiler: Any, **kw: Any) -> str:
    column, values = compiler.process(element.column, **kw), compiler.process(element.plain)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are the compiler's own


@compiles(InValues, "postgresql")
def _(element: InValues, compiler: Any, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY ({compiler.process(element.array)})"


def packed(values: Iterable[Any], dialect: str) -> Any:
    """Returns values as the single parameter of an `InValues`."""
    return list(values) if dialect == "postgresql" else orjson.dumps(list(values)).decode()
