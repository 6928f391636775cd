"""What the statements need beyond SQLAlchemy's own, in the words of either database.

Statements are compiled once and run by the driver itself: measured, half of an item's time was SQLAlchemy's otherwise.
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
    insert,
    literal_column,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine

from . import schema


class _Compiler(SQLiteCompiler):
    """SQLAlchemy leaves hints out for SQLite, which has one."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


_SQLITE = sqlite.dialect(paramstyle="named")
_SQLITE.statement_compiler = _Compiler

CLOCK = "now_micros"  # a function that SQLite is given with every connection

# Constants are part of the text, where the planner sees them. SQLite's LIMIT wants an OFFSET beside it, or gets a
# parameter for it.
ZERO, ONE, NOTHING = (literal_column(text, kind) for text, kind in (("0", Integer), ("1", Integer), ("''", Text)))


class Statement:
    """A statement, compiled for a database when it is first run there. `keys` are the columns of a bare insert."""

    __slots__ = ("_compiled", "_core", "_keys")

    def __init__(self, core: ClauseElement, keys: Sequence[str] | None = None) -> None:
        self._core, self._keys = core, keys
        self._compiled: dict[str, str] = {}

    def of(self, dialect: Dialect) -> str:
        """The text. Every parameter of it is the caller's to give."""
        found = self._compiled.get(dialect.name)
        if found is None:
            target = _SQLITE if dialect.name == "sqlite" else dialect
            compiled = self._core.compile(dialect=target, column_keys=self._keys)
            found = self._compiled[dialect.name] = str(compiled)
        return found


def given(name: str, kind: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """A parameter of a statement; its type is that of what it is compared with, where none is named."""
    return bindparam(name, type_=kind)


def by(index: str, chosen: Select[Any]) -> Select[Any]:
    """A look at items that goes by one of their partial indexes.

    SQLite has no statistics of a job that was just made, and would read all of its items instead.
    """
    return chosen.with_hint(schema.items, f"INDEXED BY ix_batch_items_{index}", "sqlite")


def adding(table: Any, *columns: str) -> Statement:
    """A statement that inserts rows given as mappings of these columns."""
    return Statement(insert(table).inline(), columns)


def upsert(table: Any, dialect: str) -> Any:
    """An insert that may say what to do about a row that is there."""
    made: Insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect](table)
    return made


class Now(ColumnElement[int]):
    """Microseconds since 1970 by the database's clock, the transaction's own time going on."""

    inherit_cache = True
    type = BigInteger()


@compiles(Now, "sqlite")
def _(element: Now, compiler: Any, **_: Any) -> str:
    return f"{CLOCK}()"


@compiles(Now, "postgresql")
def _(element: Now, compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


class Member(ColumnElement[bool]):
    """Whether a column is among the values of one parameter, which `packed` has made."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        kind: TypeEngine[Any] = Text() if isinstance(column.type, Text) else BigInteger()
        self.column, self.plain, self.array = column, bindparam(name, type_=Text()), bindparam(name, type_=ARRAY(kind))


@compiles(Member, "sqlite")
def _(element: Member, compiler: Any, **kw: Any) -> str:
    column, values = compiler.process(element.column, **kw), compiler.process(element.plain)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are the compiler's own


@compiles(Member, "postgresql")
def _(element: Member, compiler: Any, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY ({compiler.process(element.array)})"


def packed(values: Iterable[Any], dialect: str) -> Any:
    """Values as the one parameter of a `Member`."""
    return list(values) if dialect == "postgresql" else orjson.dumps(list(values)).decode()
