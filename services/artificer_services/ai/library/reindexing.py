"""Divides and embeds documents again, from their stored texts, while the old chunks are found."""

from __future__ import annotations

from ...kit.errors import Fault, Invalid, NotFound
from .errors import ModelChanged, no_document
from .indexing import Indexer
from .store import Form, Held, HeldDocument, Store
from .values import Chunk, Document

_LISTED = 50  # documents that are looked up at once


class Reindexer:
    """Indexes documents again."""

    def __init__(self, store: Store, indexer: Indexer) -> None:
        self._store, self._indexer = store, indexer

    async def document(self, held: Held, old: HeldDocument, caller: str) -> Document:
        """Index a document again in the collection's own form. Raises NotFound if it is deleted meanwhile."""
        try:
            return await self._exchange(held, old, caller)
        except ModelChanged:  # which has indexed it again already
            return (await self._store.document(held, old.document.id)).document

    async def collection(self, held: Held, form: Form, caller: str) -> None:
        """Index all documents again: in `form`, which is the collection's own or its next one."""
        if held.next_form is None:
            await self._documents(held, caller)
        else:
            try:
                while not await self._store.switch(held):
                    await self._prepare(held, form, caller)
            except Invalid:  # a repetition would fail too, and would keep the collection from another model
                await self._store.abandon(held, form)
                raise

    async def _documents(self, held: Held, caller: str) -> None:
        after = ""
        while page := await self._store.documents(held, after=after, limit=_LISTED):
            for old in page:
                try:
                    await self.document(held, old, caller)
                except NotFound:  # deleted or replaced meanwhile
                    continue
            after = page[-1].document.id

    async def _prepare(self, held: Held, form: Form, caller: str) -> None:
        """Write versions in the next form for documents that have none."""
        for old in await self._store.unprepared(held, limit=_LISTED):
            try:
                version, chunks = await self._begin(held, form, old)
            except NotFound:
                continue
            async with self._indexer.written(held, form, version, chunks, caller):
                kept = await self._store.prepare(held, old, version)
            if not kept:
                await self._store.discard(version)

    async def _exchange(self, held: Held, old: HeldDocument, caller: str) -> Document:
        form = held.form
        version, chunks = await self._begin(held, form, old)
        async with self._indexer.written(held, form, version, chunks, caller):
            return await self._store.exchange(held, old, version)

    async def _begin(self, held: Held, form: Form, old: HeldDocument) -> tuple[int, list[Chunk]]:
        source = await self._store.manuscript(old.version)
        if source is None:
            raise no_document(held.collection.id, old.document.id)
        try:
            chunks = await self._indexer.chunks(source, form)
        except Invalid as error:  # of the sizes, since the text is stored already
            text = f"document {old.document.id!r}: " + "; ".join(fault.text for fault in error.faults)
            raise Invalid(Fault("chunk_tokens", text)) from error
        return await self._store.begin_again(held, form, old), chunks
