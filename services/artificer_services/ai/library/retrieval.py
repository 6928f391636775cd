"""Finds passages: by words, by vectors, and by both, over several collections of different models.

Scores of the same kind are merged: words are ranked over all collections at once, vectors over those of one model. The
rankings are then fused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..models.values import Vectors
from .indexing import Indexer
from .metrics import LibraryMetrics
from .ranking import fuse, merge
from .requests import unit
from .store import Held, Store
from .values import Mode, Passage, Query
from .vectors.index import VectorIndex
from .words import Ranked

# Of each ranking: enough that a passage which is found by both ways, but at the top of neither, is seen.
_POOL_FACTOR, _POOL_LEAST = 4, 50
_SPARE = 8  # chunks that may be deleted between the search and the look at their texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriever:
    """Finds passages in collections."""

    store: Store
    index: VectorIndex
    indexer: Indexer
    metrics: LibraryMetrics

    async def retrieve(self, helds: Sequence[Held], query: Query, caller: str) -> list[Passage]:
        """Returns the passages that match a query best, the best first."""
        found = await self._retrieve(helds, query, caller)
        if len(found) < query.top_k and (current := await self._changed(helds)):
            found = await self._retrieve(current, query, caller)
        return found

    async def nearest(
        self,
        held: Held,
        wanted: str | Sequence[float],
        top_k: int,
        filter_: Mapping[str, str],
        min_score: float | None,
        caller: str,
    ) -> tuple[list[Passage], Held]:
        """Returns the passages closest to a text or a vector, with the cosine as their score, and their collection."""
        found = await self._closest(held, await self._vector(held, wanted, caller), top_k, filter_, min_score)
        if len(found) < top_k and (current := await self._changed([held])):
            (held,) = current
            found = await self._closest(held, await self._vector(held, wanted, caller), top_k, filter_, min_score)
        return found, held

    async def _vector(self, held: Held, wanted: str | Sequence[float], caller: str) -> Vectors:
        if not isinstance(wanted, str):
            return unit("vector", wanted, held.form.dimension)
        made = await self.indexer.embed(held.form, [wanted], caller)
        vector: Vectors = made.vectors[0]
        return vector

    async def _changed(self, helds: Sequence[Held]) -> list[Held]:
        """Returns collections as they are now, if one has got another model during a search, else none.

        The search then lacks its vectors, since those of the old model are not visible any more.
        """
        current = [await self.store.collection(held.collection.id) for held in helds]
        same = all(one.form.model == held.form.model for one, held in zip(current, helds, strict=True))
        return [] if same else current

    async def _retrieve(self, helds: Sequence[Held], query: Query, caller: str) -> list[Passage]:
        pool = max(query.top_k * _POOL_FACTOR, _POOL_LEAST)
        # The search in the database runs while the model embeds the query.
        by_words = asyncio.create_task(self._by_words(helds, query, pool), name="rag-words")
        try:
            spaces = await self._by_vectors(helds, query, pool, caller)
            words = await by_words
        finally:
            by_words.cancel()
            await asyncio.gather(by_words, return_exceptions=True)
        rankings = [ranking for ranking in (words, *spaces) if ranking]
        ranked = rankings[0] if len(rankings) == 1 and query.mode is not Mode.HYBRID else fuse(rankings)
        similar = {one.chunk: one.score for ranking in spaces for one in ranking}
        return await self._passages(ranked, query.top_k, similar)

    async def _closest(
        self, held: Held, vector: Vectors, top_k: int, filter_: Mapping[str, str], min_score: float | None
    ) -> list[Passage]:
        ranked = await self._nearest(held, vector, top_k + _SPARE, filter_)
        if min_score is not None:
            ranked = [one for one in ranked if one.score >= min_score]
        return await self._passages(ranked, top_k, {one.chunk: one.score for one in ranked})

    async def _by_words(self, helds: Sequence[Held], query: Query, pool: int) -> list[Ranked]:
        if query.mode is Mode.VECTORS:
            return []
        with self.metrics.timed("words"):
            return await self.store.rank_words(helds, query.text, pool, query.filter)

    async def _by_vectors(self, helds: Sequence[Held], query: Query, pool: int, caller: str) -> list[list[Ranked]]:
        """Returns a ranking for each model."""
        if query.mode is Mode.WORDS:
            return []
        spaces: dict[tuple[str, int], list[Held]] = {}
        for held in helds:
            if held.collection.chunk_count:
                spaces.setdefault((held.form.model, held.form.dimension), []).append(held)
        rankings = []
        for same in spaces.values():
            (vector,) = (await self.indexer.embed(same[0].form, [query.text], caller)).vectors
            found = [await self._nearest(held, vector, pool, query.filter) for held in same]
            rankings.append(merge(one for ranking in found for one in ranking)[:pool])
        return rankings

    async def _nearest(self, held: Held, vector: Vectors, limit: int, filter_: Mapping[str, str]) -> list[Ranked]:
        with self.metrics.timed("vectors"):
            among = await self.store.versions(held, filter_) if filter_ else None
            if among is not None and not len(among):
                return []
            return list(await self.index.nearest(held, vector, limit, among))

    async def _passages(self, ranked: Sequence[Ranked], top_k: int, similar: Mapping[int, float]) -> list[Passage]:
        found = await self.store.passages([one.chunk for one in ranked[: top_k + _SPARE]])
        passages = [
            replace(found[one.chunk], score=one.score, similarity=similar.get(one.chunk))
            for one in ranked
            if one.chunk in found
        ]
        return passages[:top_k]
