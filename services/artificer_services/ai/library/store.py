"""The Protocol of a store of collections and documents, and its values.

Knows no database; `sql_store` implements it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from numpy import int64
from numpy.typing import NDArray

from ..models.values import Vectors
from .chunking import Manuscript
from .values import Chunk, Collection, Document, Passage
from .words import Ranked

Numbers = NDArray[int64]
"""Numbers of chunks or versions, in one dimension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How documents are divided and embedded."""

    model: str
    dimension: int
    chunk_tokens: int
    chunk_overlap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A collection as it is stored. `changes` grows with every change of what a search finds.

    `next_form` is the one that a re-index is preparing, which has another model.
    """

    number: int
    changes: int
    collection: Collection
    next_form: Form | None = None

    @property
    def form(self) -> Form:
        """How its documents are divided and embedded."""
        own = self.collection
        return Form(
            model=own.embedding_model,
            dimension=own.dimension,
            chunk_tokens=own.chunk_tokens,
            chunk_overlap=own.chunk_overlap,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDocument:
    """A document as it is stored, with the number of its visible version."""

    document: Document
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document that is not stored yet."""

    id: str
    display_name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    page_count: int = 0
    character_count: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What the store holds."""

    collections: int
    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Stacked:
    """Vectors with the numbers of their chunks, row by row."""

    numbers: Numbers
    vectors: Vectors


class Store(Protocol):
    """A durable store. A version of a document is written unseen, in pieces, and becomes visible in one transaction.

    Every method raises `Unavailable` if the database cannot be reached.
    """

    async def create_collection(self, id_: str, display_name: str, form: Form, *, most: int) -> Held:
        """Create a collection. Raises Taken, and Full if there are `most`."""

    async def collection(self, id_: str) -> Held:
        """Returns a collection. Raises NotFound."""

    async def collections(self, *, after: str, limit: int) -> list[Collection]:
        """Returns the collections whose ids follow `after`, sorted by id."""

    async def delete_collection(self, held: Held, *, force: bool) -> None:
        """Delete a collection. Raises NotFound, and NotEmpty unless `force` is set."""

    async def document(self, held: Held, id_: str) -> HeldDocument:
        """Returns a document. Raises NotFound."""

    async def documents(self, held: Held, *, after: str, limit: int) -> list[HeldDocument]:
        """Returns the documents whose ids follow `after`, sorted by id."""

    async def delete_document(self, held: Held, id_: str) -> None:
        """Delete a document. Raises NotFound."""

    async def chunks(self, version: int, *, after: int, limit: int) -> list[Chunk]:
        """Returns the chunks of a version from position `after` on."""

    async def manuscript(self, version: int) -> Manuscript | None:
        """Returns the text of a version, or None if it is gone."""

    # Writing documents.

    async def begin(self, held: Held, form: Form, draft: Draft, source: Manuscript) -> int:
        """Returns the number of a new version, which is swept if it is not renewed."""

    async def begin_again(self, held: Held, form: Form, old: HeldDocument) -> int:
        """Returns the number of a new version with the text and metadata of `old`. Raises NotFound."""

    async def stage(self, held: Held, version: int, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store chunks of a version and renew it. Raises Lost."""

    async def renew(self, version: int) -> None:
        """Keep a version from being swept for another lease. Raises Lost."""

    async def publish(self, held: Held, version: int, draft: Draft, *, replace: bool, most: int) -> Document:
        """Make a version visible as a document, in place of the one of this id.

        Raises Taken unless `replace` is set, Full if the collection has `most` documents, ModelChanged, Lost, NotFound.
        """

    async def exchange(self, held: Held, old: HeldDocument, version: int) -> Document:
        """Make a version visible in place of the one of `old`, with its text. Raises NotFound if that is gone."""

    async def discard(self, version: int) -> None:
        """Give up a version that is not visible."""

    # Another model for a collection.

    async def reshape(self, held: Held, form: Form) -> Held:
        """Set how documents are divided; another model becomes the next one. Raises Reindexing, NotFound."""

    async def unprepared(self, held: Held, *, limit: int) -> list[HeldDocument]:
        """Returns documents without a version of the next model."""

    async def prepare(self, held: Held, old: HeldDocument, version: int) -> bool:
        """Keep a version of the next model until `switch`; false if the document was replaced or deleted."""

    async def abandon(self, held: Held, form: Form) -> None:
        """Drop what was prepared in the next form, unless that is another one by now. Raises NotFound."""

    async def switch(self, held: Held) -> bool:
        """Make the next model the model; false if a document has no version of it. Raises Reindexing if given up."""

    # Searching.

    async def rank_words(
        self, helds: Sequence[Held], query: str, limit: int, filter_: Mapping[str, str]
    ) -> list[Ranked]:
        """Returns the chunks that have words of a query, the best first."""

    async def vectors_since(self, held: Held, changes: int) -> Stacked:
        """Returns the vectors of documents that became visible after a count of changes."""

    async def versions(self, held: Held, filter_: Mapping[str, str] | None = None) -> Numbers:
        """Returns the visible versions, sorted: those with all the metadata of a filter."""

    async def vectors_of(self, held: Held, versions: Sequence[int]) -> Stacked:
        """Returns the vectors of versions, as far as they are still stored."""

    async def numbers(self, some: Iterable[int]) -> set[int]:
        """Returns those of some numbers that are collections."""

    async def passages(self, chunks: Sequence[int]) -> dict[int, Passage]:
        """Returns the chunks that are visible now by their numbers, with a score of 0."""

    async def sweep(self) -> None:
        """Remove what killed processes, replaced and deleted documents left, in small pieces."""

    async def totals(self) -> Totals:
        """Returns the sizes for metrics."""

    async def ping(self) -> None:
        """Check that the database answers."""

    async def open(self) -> None:
        """Make the tables; a server that is down is tried again in the background."""

    async def close(self) -> None:
        """Wait for running work and close the connections."""
