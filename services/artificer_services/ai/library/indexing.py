"""Writes versions of documents: divides a text, embeds the chunks, and stores them in batches, unseen.

A version is renewed while it is written, however slow the model is, and given up if writing it fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Protocol

from ...kit.errors import Fault, Invalid, ServiceError, Unavailable
from ..models.errors import UnknownModel
from ..models.values import Embedded, ModelInfo
from .chunking import Manuscript, divide
from .errors import Lost, ModelChanged, ModelGone, OtherSpace
from .settings import LibrarySettings
from .store import Draft, Form, Held, Store
from .values import Chunk, Document

_log = logging.getLogger(__name__)

_ATTEMPTS = 5  # to write a document while its collection gets another model


class Embedder(Protocol):
    """What a library needs of `models.catalog.Models`."""

    def embedding_info(self, name: str = "") -> ModelInfo:
        """Returns what is known of an embedding model; of the default one if `name` is empty. Raises UnknownModel."""

    async def embed(self, name: str, texts: Sequence[str], *, caller: str = "") -> Embedded:
        """Returns the vectors of texts. Raises ServiceError."""


class Indexer:
    """Writes the chunks and vectors of versions."""

    def __init__(self, store: Store, models: Embedder, settings: LibrarySettings) -> None:
        self._store, self._models, self._settings = store, models, settings

    async def dimension(self, model: str, caller: str) -> int:
        """Returns the number of values of a model's vectors; asks the model if its settings do not say."""
        known = self._models.embedding_info(model).dimension
        return known or (await self._models.embed(model, ["dimension"], caller=caller)).vectors.shape[1]

    async def chunks(self, source: Manuscript, form: Form) -> list[Chunk]:
        """Returns the chunks of a text. Raises Invalid if there are too many."""
        most = self._settings.max_chunks
        divided = divide(source, form.chunk_tokens, form.chunk_overlap)
        chunks = await asyncio.to_thread(lambda: list(islice(divided, most + 1)))
        if len(chunks) > most:
            text = f"the document has more than {most:,} chunks of {form.chunk_tokens} tokens, the most allowed"
            raise Invalid(Fault("data", text))
        return chunks

    async def embed(self, form: Form, texts: Sequence[str], caller: str) -> Embedded:
        """Returns the vectors of texts. Raises ModelGone, and OtherSpace if they are not those of the collection."""
        try:
            made = await self._models.embed(form.model, texts, caller=caller)
        except UnknownModel as error:
            raise ModelGone(form.model) from error
        if made.vectors.shape[1] != form.dimension:
            text = (
                f"the model {form.model!r} makes vectors of {made.vectors.shape[1]} values now, and the collection has"
            )
            raise OtherSpace(f"{text} {form.dimension}; index it again with a model of another name")
        return made

    async def add(self, held: Held, draft: Draft, source: Manuscript, *, replace: bool, caller: str) -> Document:
        """Write a document and make it visible. Raises Taken, Full, Lost, NotFound, and the errors of models."""
        for _ in range(_ATTEMPTS):
            form = held.form
            chunks = await self.chunks(source, form)
            version = await self._store.begin(held, form, draft, source)
            try:
                async with self.written(held, form, version, chunks, caller):
                    most = self._settings.max_documents
                    return await self._store.publish(held, version, draft, replace=replace, most=most)
            except ModelChanged:
                held = await self._store.collection(held.collection.id)
        raise Lost("the collection gets another model again and again; try again")

    @asynccontextmanager
    async def written(
        self, held: Held, form: Form, version: int, chunks: Sequence[Chunk], caller: str
    ) -> AsyncIterator[None]:
        """Write the chunks of a version; gives it up if this, or what is done with it, fails."""
        try:
            async with self._renewed(version):
                await self._write(held, form, version, chunks, caller)
            yield
        except BaseException:
            await asyncio.shield(self._discard(version))
            raise

    async def _write(self, held: Held, form: Form, version: int, chunks: Sequence[Chunk], caller: str) -> None:
        size = self._settings.embed_batch
        for start in range(0, len(chunks), size):
            some = chunks[start : start + size]
            # Without runs of spaces, of which a table of a text file may have so many that a model refuses it.
            made = await self.embed(form, [" ".join(chunk.text.split()) for chunk in some], caller)
            await self._store.stage(held, version, some, made.vectors)

    @asynccontextmanager
    async def _renewed(self, version: int) -> AsyncIterator[None]:
        renewing = asyncio.create_task(self._renew(version), name="rag-renew")
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, version: int) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 3)
            try:
                await self._store.renew(version)
            except Lost:
                return  # the next batch finds that out too
            except Unavailable:
                _log.warning("the lease of a document that is written could not be renewed; it is tried again")

    async def _discard(self, version: int) -> None:
        try:
            await self._store.discard(version)
        except ServiceError:
            _log.info("what was written of a document is left to the sweep")
