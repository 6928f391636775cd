"""Makes a library of its settings: its database, its store and the index of its vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...kit.settings import InvalidSetting
from ...kit.storage.state import StoreMetrics, state_of
from ..reading.values import Reader
from .database import connect
from .indexing import Embedder
from .library import Library
from .settings import LibrarySettings
from .sql_store import SqlStore
from .vectors.choice import ChosenIndex
from .vectors.index import VectorIndex
from .vectors.memory import MemoryIndex
from .vectors.postgres import PgvectorIndex

SNAPSHOTS = "rag-indexes"  # the folder in data_dir


def library_of(
    settings: LibrarySettings,
    models: Embedder,
    readers: Sequence[Reader] = (),
    *,
    data_dir: str,
    database_url: str = "",
) -> Library:
    """Returns a library that opens nothing before `start`: in SQLite in `data_dir` unless there is a `database_url`.

    Raises ValueError for a malformed URL.
    """
    database = connect(data_dir, database_url, settings)
    store = SqlStore(database, lease_seconds=settings.lease_seconds)
    memory = MemoryIndex(
        store,
        max_bytes=settings.max_index_bytes,
        approximate_above=settings.approximate_above,
        folder=Path(data_dir, SNAPSHOTS),
    )
    index: VectorIndex = memory
    if database_url and settings.vectors != "memory":
        postgres = PgvectorIndex(database, approximate_above=settings.approximate_above)
        index = ChosenIndex(memory, postgres, settings.vectors)
    elif settings.vectors == "pgvector":
        raise InvalidSetting("vectors", "vectors = pgvector needs PostgreSQL; set database_url")
    measured = StoreMetrics("rag", partial(database.read, state_of))
    return Library(store, models, readers, settings, index, measured, database.upstream)
