"""The settings of collections: storage, limits, and how vectors are searched.

Reads no environment; the gateway's settings do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...kit.settings import MIB, InvalidSetting, check_choice, check_not_negative, check_positive

MOST_CHUNKS = 1 << 20  # the numbers of chunks have 20 bits for the position in a document


@dataclass(frozen=True, slots=True, kw_only=True)
class LibrarySettings:
    """How collections are stored and searched, and their limits. Raises ValueError for invalid values."""

    database_connections: int = 8  # to PostgreSQL, per process
    breaker_failures: int = 5  # consecutive failures of PostgreSQL after which calls are refused at once
    breaker_seconds: float = 2.0  # until a call is let through again; doubles up to 30 seconds
    max_store_calls: int = 256  # concurrent calls to PostgreSQL; more are refused with UNAVAILABLE

    max_collections: int = 10_000  # in the database
    max_documents: int = 1_000_000  # of one collection
    max_document_bytes: int = 64 * MIB  # of one file
    max_document_chars: int = 10_000_000  # of the text of one document
    max_chunks: int = 50_000  # of one document; at most 1,048,576
    max_metadata: int = 32  # entries of one document
    max_query_chars: int = 8_192  # of a text that is looked for
    embed_batch: int = 64  # chunks that are embedded, and then stored, at once
    lease_seconds: float = 60.0  # seconds without a renewal after which an unfinished document is removed
    sweep_seconds: float = 30.0  # between sweeps of what killed processes and replaced documents left

    # auto: pgvector if PostgreSQL has it, else memory.
    vectors: Literal["auto", "memory", "pgvector"] = "auto"
    approximate_above: int = 200_000  # vectors of a collection, from which on an HNSW index is built
    max_index_bytes: int = 2048 * MIB  # of the vectors in memory; collections that were not searched longest leave it

    def __post_init__(self) -> None:
        check_positive(
            self,
            "database_connections",
            "breaker_failures",
            "breaker_seconds",
            "max_store_calls",
            "max_collections",
            "max_documents",
            "max_document_bytes",
            "max_document_chars",
            "max_chunks",
            "max_query_chars",
            "embed_batch",
            "lease_seconds",
            "sweep_seconds",
            "approximate_above",
            "max_index_bytes",
        )
        check_not_negative(self, "max_metadata")
        check_choice(self, "vectors", "auto", "memory", "pgvector")
        if self.max_chunks > MOST_CHUNKS:
            raise InvalidSetting("max_chunks", f"max_chunks must be at most {MOST_CHUNKS}, not {self.max_chunks}")
