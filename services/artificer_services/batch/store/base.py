"""The base class of the parts of the store, and look-ups of jobs that they share.

Knows no statement of a part.
"""

from __future__ import annotations

from sqlalchemy import select

from ..jobs.errors import NotFound
from ..settings import Policy
from . import schema
from .language import Statement, given
from .session import Database, Tx

# The first keys of PostgreSQL's advisory locks; the second one is the job's.
CLAIMS, LOGS = 1_112_493_121, 1_112_493_122

COUNTS = ("completed", "failed", "steps", "tokens", "cost_micros")


class SqlBase:
    """A part of the store, over a database whose tables are up to date."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database, self._policy = database, policy
        self._lease = round(policy.lease_seconds * 1_000_000)


_KEY = Statement(select(schema.jobs.c.key).where(schema.jobs.c.id == given("job_id")))


def key_of(tx: Tx, job_id: str) -> int:
    """Returns the primary key of a job. Raises `NotFound`."""
    row = tx.one(_KEY, {"job_id": job_id})
    if row is None:
        raise no_job(job_id)
    key: int = row[0]
    return key


def no_job(job_id: str) -> NotFound:
    """Returns the error for a job that does not exist; quotes the id if it is safe to print."""
    return NotFound(f"there is no job {job_id!r}" if _printable(job_id) else "there is no such job")


def _printable(job_id: str) -> bool:
    return len(job_id) <= 64 and job_id.isascii() and job_id.isprintable()
