"""The store of jobs in SQLite or PostgreSQL. `SqlStore` is all that others need."""

from .store import SqlStore

__all__ = ["SqlStore"]
