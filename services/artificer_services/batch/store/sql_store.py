"""`SqlStore`: the parts of the store combined.

Has no statement of its own except the ping.
"""

from __future__ import annotations

from sqlalchemy import Engine, select, text

from ..settings import Policy
from .blobs import SqlBlobs
from .jobs import SqlJobs
from .language import Statement
from .logs import SqlLogs
from .overview import SqlOverview
from .results import SqlResults
from .retention import SqlRetention
from .session import Database
from .slots import SqlSlots
from .work import SqlWork

_PING = Statement(select(text("1")))


class SqlStore(SqlJobs, SqlResults, SqlLogs, SqlBlobs, SqlOverview, SqlRetention, SqlSlots, SqlWork):
    """The store in a database whose tables are up to date; see `Store`."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        super().__init__(Database(engine), policy)

    def ping(self) -> None:
        """Check that the database answers; see `Store`."""
        with self._database.read() as tx:
            tx.run(_PING, {})

    def close(self) -> None:
        """Close every connection; see `Store`."""
        self._database.close()
