"""`SqlStore`: the parts of the store put together."""

from __future__ import annotations

from sqlalchemy import Engine, select, text

from ..settings import Policy
from .blobs import Blobs
from .jobs import Jobs
from .language import Statement
from .logs import Logs
from .overview import Overviews
from .results import Results
from .retention import Retention
from .session import Database
from .slots import Slots
from .work import Work

_PING = Statement(select(text("1")))


class SqlStore(Jobs, Results, Logs, Blobs, Overviews, Retention, Slots, Work):
    """The store in a database that has its tables; see `Store`."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        super().__init__(Database(engine), policy)

    def ping(self) -> None:
        """Returns where the database answers; see `Store`."""
        with self._database.read() as tx:
            tx.run(_PING, {})

    def close(self) -> None:
        """Close every connection; see `Store`."""
        self._database.close()
