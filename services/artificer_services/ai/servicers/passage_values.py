"""Converts passages and citations to the protos of artificer.rag.v1, which RAG and conversations share."""

from __future__ import annotations

from collections.abc import Iterable

from artificer.rag.v1 import rag_service_pb2 as pb

from ..grounding.values import Citation
from ..library.values import Chunk, Passage, Span


def span_of(span: Span) -> pb.Span:
    """Returns the proto of a part of a document."""
    return pb.Span(start=span.start, end=span.end, page=span.page, last_page=span.last_page)


def chunk_of(chunk: Chunk) -> pb.Chunk:
    """Returns the proto of a chunk."""
    return pb.Chunk(
        index=chunk.index,
        text=chunk.text,
        span=span_of(chunk.span),
        headings=chunk.headings,
        token_count=chunk.token_count,
    )


def passage_of(passage: Passage) -> pb.Passage:
    """Returns the proto of a passage; without a similarity if it was found by words alone."""
    return pb.Passage(
        collection=passage.collection,
        document=passage.document,
        document_name=passage.document_name,
        chunk=chunk_of(passage.chunk),
        score=passage.score,
        similarity=passage.similarity,
    )


def passages_of(passages: Iterable[Passage]) -> pb.RetrievedPassages:
    """Returns the proto of passages, the best first."""
    return pb.RetrievedPassages(passages=map(passage_of, passages))


def citation_of(citation: Citation) -> pb.Citation:
    """Returns the proto of a citation."""
    return pb.Citation(
        passage=citation.passage,
        collection=citation.collection,
        document=citation.document,
        span=span_of(citation.span),
        quote=citation.quote,
        answer_start=citation.answer_start,
        answer_end=citation.answer_end,
        origin=pb.CITATION_ORIGIN_MODEL if citation.by_model else pb.CITATION_ORIGIN_SERVER,
    )
