"""Collections, documents, chunks and passages as plain values.

Pure. Positions in texts count code points from 0; pages count from 1, and are 0 in documents without pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A set of documents that are searched together; all its vectors are of one model."""

    id: str
    display_name: str
    embedding_model: str
    dimension: int
    chunk_tokens: int
    chunk_overlap: int
    document_count: int
    chunk_count: int
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text in a collection."""

    id: str
    collection: str
    display_name: str
    metadata: Mapping[str, str]
    content_type: str
    page_count: int
    chunk_count: int
    character_count: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a document's text: its characters, and the pages of the first and of the last."""

    start: int
    end: int
    page: int = 0
    last_page: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a document that is found as one."""

    index: int
    text: str
    span: Span
    headings: tuple[str, ...] = ()
    token_count: int = 0


class Mode(Enum):
    """How passages are found."""

    HYBRID = auto()
    WORDS = auto()
    VECTORS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for. `filter` names metadata that a document must have."""

    text: str
    top_k: int = 5
    mode: Mode = Mode.HYBRID
    filter: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk that was found. `similarity` is the cosine to the query, None if it was found by words alone."""

    collection: str
    document: str
    document_name: str
    metadata: Mapping[str, str]
    chunk: Chunk
    score: float
    similarity: float | None = None
