"""A PostgreSQL server of this test run's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

_NAMES = itertools.count()


@dataclass(frozen=True)
class Postgres:
    """A running server: databases for tests, and what an administrator may do to it."""

    url_of: Callable[[str], str]

    def fresh(self, like: str = "") -> str:
        """The URL of a new database: an empty one, or a copy of the one at `like`, which must have no connections."""
        name, template = f"test_{next(_NAMES)}", self.name_of(like) if like else "template1"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url_of(name)

    def hurry(self) -> None:
        """Write without waiting for the disk. A killed process loses nothing by it, only a power cut would.

        The write-ahead log stays small, since its gigabyte for each process of a test run is held in memory.
        """
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            self.run(f"ALTER SYSTEM SET {setting} = off")
        for setting, value in (("min_wal_size", "32MB"), ("max_wal_size", "64MB"), ("checkpoint_warning", "0")):
            self.run(f"ALTER SYSTEM SET {setting} = '{value}'")
        self.run("SELECT pg_reload_conf()")

    def name_of(self, url: str) -> str:
        """The name of the database at a URL."""
        return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])

    def run(self, statement: str) -> list[Any]:
        """What one statement gives."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def cut_listeners(self, url: str) -> int:
        """End every connection to a database in which chat waits for notifications; how many there were."""
        return self.cut(url, "AND application_name = 'artificer-chat-listen'")

    def cut(self, url: str, which: str = "") -> int:
        """End every connection to a database; how many there were."""
        name = self.name_of(url)
        return len(self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' {which}"))
