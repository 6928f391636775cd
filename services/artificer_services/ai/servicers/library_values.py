"""Converts collections, documents, queries and answers from and to the protos of artificer.rag.v1."""

from __future__ import annotations

from collections.abc import Mapping

from artificer.rag.v1 import rag_service_pb2 as pb

from ...kit.errors import Fault, Invalid
from ..grounding.values import Citation, Event, Retrieved, Text
from ..library.values import Collection, Document, Mode, Query
from .chat_values import finish_of, usage_of
from .passage_values import citation_of, passages_of

_MODES = {
    pb.RETRIEVAL_MODE_UNSPECIFIED: Mode.HYBRID,
    pb.RETRIEVAL_MODE_HYBRID: Mode.HYBRID,
    pb.RETRIEVAL_MODE_WORDS: Mode.WORDS,
    pb.RETRIEVAL_MODE_VECTORS: Mode.VECTORS,
}
_PASSAGES = 5


def collection_of(collection: Collection) -> pb.Collection:
    """Returns the proto of a collection."""
    made = pb.Collection(
        id=collection.id,
        display_name=collection.display_name,
        embedding_model=collection.embedding_model,
        dimension=collection.dimension,
        chunk_tokens=collection.chunk_tokens,
        chunk_overlap=collection.chunk_overlap,
        document_count=collection.document_count,
        chunk_count=collection.chunk_count,
    )
    made.create_time.FromDatetime(collection.created)
    return made


def document_of(document: Document) -> pb.Document:
    """Returns the proto of a document."""
    made = pb.Document(
        id=document.id,
        collection=document.collection,
        display_name=document.display_name,
        metadata=document.metadata,
        content_type=document.content_type,
        page_count=document.page_count,
        chunk_count=document.chunk_count,
        character_count=document.character_count,
    )
    made.create_time.FromDatetime(document.created)
    return made


def to_query(text: str, top_k: int, mode: pb.RetrievalMode.ValueType, filter_: Mapping[str, str]) -> Query:
    """Returns a query. Raises Invalid for a mode that is none."""
    if mode not in _MODES:
        raise Invalid(Fault("mode", f"there is no retrieval mode {mode}"))
    return Query(text=text, top_k=top_k or _PASSAGES, mode=_MODES[mode], filter=dict(filter_))


def event_of(event: Event) -> pb.AskResponse:
    """Returns the proto of an event of an answer."""
    if isinstance(event, Text):
        return pb.AskResponse(text=event.text)
    if isinstance(event, Citation):
        return pb.AskResponse(citation=citation_of(event))
    if isinstance(event, Retrieved):
        return pb.AskResponse(passages=passages_of(event.passages))
    end = pb.AnswerEnd(finish_reason=finish_of(event.finish), usage=usage_of(event.usage), model=event.model)
    return pb.AskResponse(end=end)
