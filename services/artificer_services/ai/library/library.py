"""The use cases of collections and documents. Knows neither protos nor a database.

Every method raises `ServiceError`: Invalid with the request's field, NotFound, the errors of `errors`, those of readers
and of models.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence

from prometheus_client.registry import Collector

from ...kit import paging
from ...kit.errors import Fault, Invalid, NotFound
from ...kit.periodic import Periodic
from ...kit.storage.state import StoreMetrics
from ..reading.read import read_asset
from ..reading.values import AssetKind, Reader
from . import requests
from .chunking import manuscript
from .errors import Full, Taken
from .indexing import Embedder, Indexer
from .metrics import LibraryMetrics
from .pages import PAGE, next_token, page_of
from .placing import place
from .reindexing import Reindexer
from .requests import check
from .retrieval import Retriever
from .settings import LibrarySettings
from .store import Draft, Form, Held, Store
from .values import Chunk, Collection, Document, Passage, Query, Span
from .vectors.index import VectorIndex
from .vectors.memory import MemoryIndex


class Library:
    """Collections of documents, in a store, with the models and readers of the server."""

    def __init__(
        self,
        store: Store,
        models: Embedder,
        readers: Sequence[Reader],
        settings: LibrarySettings | None = None,
        index: VectorIndex | None = None,
        store_metrics: StoreMetrics | None = None,
        breaker: Collector | None = None,
    ) -> None:
        """Searches by vectors in memory, without snapshots, unless there is an `index`.

        `store_metrics` and `breaker` are the metrics of the store's database, if it has any.
        """
        self.settings = settings = settings or LibrarySettings()
        self._store, self._models, self._readers = store, models, readers
        self._index = index or MemoryIndex(
            store, max_bytes=settings.max_index_bytes, approximate_above=settings.approximate_above
        )
        self._metrics = LibraryMetrics(store.totals)
        self._store_metrics, self._breaker = store_metrics, breaker
        self._indexer = Indexer(store, models, settings)
        self._reindexer = Reindexer(store, self._indexer)
        self._retriever = Retriever(store=store, index=self._index, indexer=self._indexer, metrics=self._metrics)
        self._sweeping = Periodic("rag-sweep", store.sweep, settings.sweep_seconds)

    async def start(self) -> None:
        """Open the store; a server that is down is tried again in the background."""
        await self._store.open()
        await self._index.start()
        self._sweeping.start()
        self._metrics.start()
        if self._store_metrics is not None:
            self._store_metrics.start()

    async def stop(self) -> None:
        """End background work and close the store."""
        if self._store_metrics is not None:
            await self._store_metrics.stop()
        await self._metrics.stop()
        await self._sweeping.stop()
        await self._index.stop()
        await self._store.close()

    async def ping(self) -> None:
        """Check that the store answers. Raises Unavailable."""
        await self._store.ping()

    @property
    def collectors(self) -> Sequence[Collector]:
        """The metrics of the collections, their searches and their database."""
        of_database = (one for one in (self._store_metrics, self._breaker) if one is not None)
        return (self._metrics, self._index, *of_database)

    # Collections.

    async def create_collection(
        self,
        collection_id: str = "",
        *,
        display_name: str = "",
        embedding_model: str = "",
        chunk_tokens: int = 0,
        chunk_overlap: int | None = None,
        caller: str = "",
    ) -> Collection:
        """Create an empty collection; what is empty, 0 or None is chosen by the server. Raises Taken, Full."""
        faults = list(requests.name_faults("collection.display_name", display_name))
        if collection_id:
            faults += requests.id_faults("collection_id", collection_id)
        check(*faults)
        tokens, overlap = requests.chunk_sizes(chunk_tokens, chunk_overlap)
        name = self._models.embedding_info(embedding_model).name
        dimension = await self._indexer.dimension(name, caller)
        form = Form(model=name, dimension=dimension, chunk_tokens=tokens, chunk_overlap=overlap)
        id_ = collection_id or uuid.uuid4().hex
        held = await self._store.create_collection(id_, display_name, form, most=self.settings.max_collections)
        return held.collection

    async def collection(self, collection: str) -> Collection:
        """Returns a collection. Raises NotFound."""
        return (await self._held(collection)).collection

    async def collections(self, page_size: int = 0, page_token: str = "") -> tuple[list[Collection], str]:
        """Returns a page of the collections, sorted by id, and the token of the next page, empty for the last."""
        size, after = page_of(page_size, page_token, "collections")
        found = await self._store.collections(after=after, limit=size + 1)
        return found[:size], next_token([one.id for one in found], size, "collections")

    async def delete_collection(self, collection: str, *, force: bool = False) -> None:
        """Delete a collection. Raises NotFound, and NotEmpty if it has documents, unless `force` is set."""
        held = await self._held(collection)
        await self._store.delete_collection(held, force=force)
        await self._index.forget(held.number)
        self._sweeping.poke()

    async def reindex_collection(
        self,
        collection: str,
        *,
        embedding_model: str = "",
        chunk_tokens: int = 0,
        chunk_overlap: int | None = None,
        caller: str = "",
    ) -> Collection:
        """Divide and embed all documents again; what is empty, 0 or None stays as it is.

        What is found does not change until the new chunks are there: document by document, and with another model when
        all documents have vectors of it. One that was interrupted goes on when it is called again.
        """
        held = await self._held(collection)
        old = held.form
        kept = chunk_overlap is None
        tokens, overlap = requests.chunk_sizes(
            chunk_tokens or old.chunk_tokens, old.chunk_overlap if kept else chunk_overlap, strict=not kept
        )
        name = self._models.embedding_info(embedding_model or old.model).name
        same = name == old.model
        dimension = old.dimension if same else await self._indexer.dimension(name, caller)
        form = Form(model=name, dimension=dimension, chunk_tokens=tokens, chunk_overlap=overlap)
        await self._reindexer.collection(await self._store.reshape(held, form), form, caller)
        self._sweeping.poke()
        return (await self._held(collection)).collection

    # Documents.

    async def add_document(
        self,
        collection: str,
        data: bytes,
        *,
        document_id: str = "",
        replace: bool = False,
        display_name: str = "",
        content_type: str = "",
        filename: str = "",
        metadata: Mapping[str, str] | None = None,
        caller: str = "",
    ) -> tuple[Document, AssetKind]:
        """Read a file, divide, embed and store it; returns the document when searches find it, and what the file is.

        Raises NotFound for the collection, Taken if there is a document of this id, unless `replace` is set, and Full.
        """
        metadata = dict(metadata or {})
        faults = list(requests.name_faults("display_name", display_name))
        faults += requests.name_faults("filename", filename)
        faults += requests.metadata_faults("metadata", metadata, self.settings.max_metadata)
        if document_id:
            faults += requests.id_faults("document_id", document_id)
        if len(data) > self.settings.max_document_bytes:
            text = f"the file has {len(data):,} bytes; at most {self.settings.max_document_bytes:,} are accepted"
            faults.append(Fault("data", text))
        check(*faults)
        held = await self._held(collection)
        # Looked at before the file is read and embedded, and once more when the document is published.
        if document_id and not replace and await self._exists(held, document_id):
            raise Taken(f"there is a document {document_id!r} in the collection already; set `replace` to replace it")
        if not document_id and held.collection.document_count >= self.settings.max_documents:
            raise Full(f"the collection has {held.collection.document_count:,} documents, the most allowed")
        limit = self.settings.max_document_chars
        reading = await read_asset(self._readers, data, content_type, filename, max_chars=limit)
        source = await asyncio.to_thread(manuscript, reading.pages)
        id_ = document_id or uuid.uuid4().hex
        draft = Draft(
            id=id_,
            display_name=display_name or filename or id_,
            metadata=metadata,
            content_type=reading.content_type,
            page_count=len(source.pages),
            character_count=len(source.text),
        )
        document = await self._indexer.add(held, draft, source, replace=replace, caller=caller)
        if replace:
            self._sweeping.poke()
        return document, reading.kind

    async def document(self, collection: str, document: str) -> Document:
        """Returns a document. Raises NotFound."""
        return (await self._store.document(await self._held(collection), document)).document

    async def documents(self, collection: str, page_size: int = 0, page_token: str = "") -> tuple[list[Document], str]:
        """Returns a page of a collection's documents, sorted by id, and the token of the next page."""
        held = await self._held(collection)
        size, after = page_of(page_size, page_token, "documents", collection)
        found = await self._store.documents(held, after=after, limit=size + 1)
        token = next_token([one.document.id for one in found], size, "documents", collection)
        return [one.document for one in found[:size]], token

    async def chunks(
        self, collection: str, document: str, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[Chunk], str]:
        """Returns a page of a document's chunks in their order, and the token of the next page."""
        version = (await self._store.document(await self._held(collection), document)).version
        scope = ("chunks", collection, document, str(version))
        check(*paging.size_faults(page_size))
        size = paging.page_size(page_size, PAGE)
        first = paging.number_of(page_token, *scope) if page_token else 0
        found = await self._store.chunks(version, after=first, limit=size + 1)
        return found[:size], paging.token_of(str(first + size), *scope) if len(found) > size else ""

    async def delete_document(self, collection: str, document: str) -> None:
        """Delete a document. Raises NotFound."""
        await self._store.delete_document(await self._held(collection), document)
        self._sweeping.poke()

    async def reindex_document(self, collection: str, document: str, *, caller: str = "") -> Document:
        """Divide and embed a document again, from its stored text. Raises NotFound."""
        held = await self._held(collection)
        old = await self._store.document(held, document)
        indexed = await self._reindexer.document(held, old, caller)
        self._sweeping.poke()
        return indexed

    # Searching.

    async def retrieve(self, collections: Sequence[str], query: Query, *, caller: str = "") -> list[Passage]:
        """Returns the passages of one or several collections that match a query best, the best first."""
        check(
            *requests.text_faults("query", query.text, self.settings),
            *requests.count_faults("top_k", query.top_k, requests.MOST_PASSAGES),
            *requests.metadata_faults("filter", query.filter, self.settings.max_metadata),
            *requests.collection_faults(collections),
        )
        helds = [await self._held(one) for one in dict.fromkeys(collections)]
        return await self._retriever.retrieve(helds, query, caller)

    async def search(
        self,
        collection: str,
        *,
        text: str = "",
        vector: Sequence[float] | None = None,
        top_k: int = 10,
        filter: Mapping[str, str] | None = None,  # noqa: A002, the request's field
        min_score: float | None = None,
        caller: str = "",
    ) -> tuple[list[Passage], str]:
        """Returns the passages closest to a text or a vector, with the cosine as their score, and the model's name."""
        filter_ = dict(filter or {})
        faults = list(requests.text_faults("text", text, self.settings)) if vector is None else []
        check(
            *faults,
            *requests.count_faults("top_k", top_k, requests.MOST_MATCHES),
            *requests.metadata_faults("filter", filter_, self.settings.max_metadata),
            *requests.score_faults("min_score", min_score),
        )
        held = await self._held(collection)
        wanted = text if vector is None else vector
        passages, held = await self._retriever.nearest(held, wanted, top_k, filter_, min_score, caller)
        return passages, held.form.model

    async def place(self, passage: Passage, start: int, end: int) -> Span:
        """Returns where characters of a passage's document are. Raises NotFound if it was deleted since."""
        return await place(self._store, passage, start, end)

    # Helpers.

    async def _held(self, id_: str) -> Held:
        if not id_:
            raise Invalid(Fault("collection", "must not be empty"))
        return await self._store.collection(id_)

    async def _exists(self, held: Held, id_: str) -> bool:
        try:
            await self._store.document(held, id_)
        except NotFound:
            return False
        return True
