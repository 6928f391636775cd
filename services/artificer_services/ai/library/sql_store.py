"""Stores collections in SQLite or PostgreSQL through SQLAlchemy Core.

Chooses the transactions; `sql` has their statements, and `kit.storage.database` the connections and threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from ...kit.storage.database import Database
from ..models.values import Vectors
from .chunking import Manuscript
from .sql import collections, documents, search, versions
from .store import Draft, Form, Held, HeldDocument, Numbers, Stacked, Totals
from .values import Chunk, Collection, Document, Passage
from .words import Ranked, find_words


class SqlStore:
    """The store in a migrated database; see `Store`. A lease lasts `lease_seconds` by the database's clock."""

    def __init__(self, database: Database, *, lease_seconds: float = 60.0) -> None:
        self.database, self._lease = database, round(lease_seconds * 1_000_000)

    async def create_collection(self, id_: str, display_name: str, form: Form, *, most: int) -> Held:
        """Create a collection; see `Store`."""
        return await self.database.write(lambda c: collections.create(c, id_, display_name, form, most))

    async def collection(self, id_: str) -> Held:
        """Returns a collection; see `Store`."""
        return await self.database.read(partial(collections.get, id_=id_))

    async def collections(self, *, after: str, limit: int) -> list[Collection]:
        """Returns a page of collections; see `Store`."""
        return await self.database.read(partial(collections.after, id_=after, limit=limit))

    async def delete_collection(self, held: Held, *, force: bool) -> None:
        """Delete a collection; see `Store`."""
        await self.database.write(partial(collections.remove, held=held, force=force))

    async def document(self, held: Held, id_: str) -> HeldDocument:
        """Returns a document; see `Store`."""
        return await self.database.read(partial(documents.get, held=held, id_=id_))

    async def documents(self, held: Held, *, after: str, limit: int) -> list[HeldDocument]:
        """Returns a page of documents; see `Store`."""
        return await self.database.read(partial(documents.after, held=held, id_=after, limit=limit))

    async def delete_document(self, held: Held, id_: str) -> None:
        """Delete a document; see `Store`."""
        await self.database.write(partial(documents.remove, held=held, id_=id_))

    async def chunks(self, version: int, *, after: int, limit: int) -> list[Chunk]:
        """Returns chunks of a version; see `Store`."""
        return await self.database.read(partial(documents.chunks_of, version=version, position=after, limit=limit))

    async def manuscript(self, version: int) -> Manuscript | None:
        """Returns the text of a version; see `Store`."""
        return await self.database.read(partial(documents.manuscript, version=version))

    async def begin(self, held: Held, form: Form, draft: Draft, source: Manuscript) -> int:
        """Returns the number of a new version; see `Store`."""
        return await self.database.write(lambda c: versions.begin(c, held, form, draft, source, self._lease))

    async def begin_again(self, held: Held, form: Form, old: HeldDocument) -> int:
        """Returns the number of a new version with the text of another one; see `Store`."""
        return await self.database.write(lambda c: versions.begin_again(c, held, form, old, self._lease))

    async def stage(self, held: Held, version: int, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store chunks of a version; see `Store`."""
        await self.database.write(lambda c: versions.stage(c, held, version, chunks, vectors, self._lease))

    async def renew(self, version: int) -> None:
        """Keep a version from being swept; see `Store`."""
        await self.database.write(partial(versions.renew, version=version, lease=self._lease))

    async def publish(self, held: Held, version: int, draft: Draft, *, replace: bool, most: int) -> Document:
        """Make a version visible as a document; see `Store`."""
        work = partial(documents.publish, held=held, version=version, draft=draft, replace=replace, most=most)
        return await self.database.write(work)

    async def exchange(self, held: Held, old: HeldDocument, version: int) -> Document:
        """Make a version visible in place of another one; see `Store`."""
        return await self.database.write(partial(documents.exchange, held=held, old=old, version=version))

    async def discard(self, version: int) -> None:
        """Give up a version; see `Store`."""
        await self.database.write(partial(versions.discard, version=version))

    async def reshape(self, held: Held, form: Form) -> Held:
        """Set how documents are divided, or the next model; see `Store`."""
        return await self.database.write(partial(collections.reshape, held=held, form=form))

    async def unprepared(self, held: Held, *, limit: int) -> list[HeldDocument]:
        """Returns documents without a version of the next model; see `Store`."""
        return await self.database.read(partial(documents.unprepared, held=held, limit=limit))

    async def prepare(self, held: Held, old: HeldDocument, version: int) -> bool:
        """Keep a version until `switch`; see `Store`."""
        return await self.database.write(partial(documents.prepare, held=held, old=old, version=version))

    async def abandon(self, held: Held, form: Form) -> None:
        """Drop what was prepared in a form; see `Store`."""
        await self.database.write(partial(collections.abandon, held=held, form=form))

    async def switch(self, held: Held) -> bool:
        """Make the next model the model; see `Store`."""
        return await self.database.write(partial(collections.switch, held=held))

    async def rank_words(
        self, helds: Sequence[Held], query: str, limit: int, filter_: Mapping[str, str]
    ) -> list[Ranked]:
        """Returns the chunks that have words of a query; see `Store`."""
        numbers = [held.number for held in helds]
        return await self.database.read(lambda c: find_words(c, numbers, query, limit, filter_))

    async def vectors_since(self, held: Held, changes: int) -> Stacked:
        """Returns the vectors of documents that became visible since; see `Store`."""
        return await self.database.read(partial(search.vectors_since, held=held, changes=changes))

    async def versions(self, held: Held, filter_: Mapping[str, str] | None = None) -> Numbers:
        """Returns the visible versions that a filter lets through; see `Store`."""
        return await self.database.read(partial(search.versions_of, held=held, filter_=filter_))

    async def vectors_of(self, held: Held, versions: Sequence[int]) -> Stacked:
        """Returns the vectors of versions; see `Store`."""
        return await self.database.read(partial(search.vectors_of, held=held, wanted=versions))

    async def numbers(self, some: Iterable[int]) -> set[int]:
        """Returns those of some numbers that are collections; see `Store`."""
        return await self.database.read(partial(collections.existing, some=some))

    async def passages(self, chunks: Sequence[int]) -> dict[int, Passage]:
        """Returns the chunks that are visible now; see `Store`."""
        return await self.database.read(partial(search.passages, wanted=chunks))

    async def sweep(self) -> None:
        """Remove what killed processes, replaced and deleted documents left; see `Store`."""
        await self.database.write(versions.expire)
        await self.database.write(collections.give_up)
        while (version := await self.database.read(versions.next_dead)) is not None:
            while not await self.database.write(partial(versions.sweep, version=version)):
                pass

    async def totals(self) -> Totals:
        """Returns the sizes for metrics; see `Store`."""
        return await self.database.read(collections.totals)

    async def ping(self) -> None:
        """Check that the database answers; see `Store`."""
        await self.database.ping()

    async def open(self) -> None:
        """Make the tables; see `Store`."""
        await self.database.open()

    async def close(self) -> None:
        """Close the connections; see `Store`."""
        await self.database.close()
