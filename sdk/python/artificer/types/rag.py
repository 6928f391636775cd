"""Models of artificer.rag.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal, TypeAlias

from . import ai, base

__all__ = [
    "AnswerEnd",
    "AskRequest",
    "AskResponse",
    "Chunk",
    "Citation",
    "CitationOrigin",
    "CitationOriginName",
    "Collection",
    "CreateCollectionRequest",
    "CreateDocumentRequest",
    "DeleteCollectionRequest",
    "DeleteDocumentRequest",
    "Document",
    "GetCollectionRequest",
    "GetDocumentRequest",
    "ListChunksRequest",
    "ListChunksResponse",
    "ListCollectionsRequest",
    "ListCollectionsResponse",
    "ListDocumentsRequest",
    "ListDocumentsResponse",
    "Passage",
    "ReindexCollectionRequest",
    "ReindexDocumentRequest",
    "RetrievalMode",
    "RetrievalModeName",
    "RetrievePassagesRequest",
    "RetrievePassagesResponse",
    "RetrievedPassages",
    "Span",
]


class RetrievalMode(base.OpenEnum):
    """How passages are found."""

    UNSPECIFIED = "RETRIEVAL_MODE_UNSPECIFIED"
    """RETRIEVAL_MODE_HYBRID."""
    HYBRID = "RETRIEVAL_MODE_HYBRID"
    """RETRIEVAL_MODE_HYBRID fuses the ranks of both other modes (reciprocal rank fusion, Cormack et al. 2009)."""
    WORDS = "RETRIEVAL_MODE_WORDS"
    """RETRIEVAL_MODE_WORDS ranks by the words of the text (BM25; PostgreSQL's ts_rank_cd there)."""
    VECTORS = "RETRIEVAL_MODE_VECTORS"
    """RETRIEVAL_MODE_VECTORS ranks by the cosine of the vectors."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "RETRIEVAL_MODE_UNSPECIFIED": 0,
            "RETRIEVAL_MODE_HYBRID": 1,
            "RETRIEVAL_MODE_WORDS": 2,
            "RETRIEVAL_MODE_VECTORS": 3,
        }


RetrievalModeName: TypeAlias = Literal["hybrid", "words", "vectors"]
"""The names of RetrievalMode in arguments of methods."""


class CitationOrigin(base.OpenEnum):
    """Who found that a passage supports a text."""

    UNSPECIFIED = "CITATION_ORIGIN_UNSPECIFIED"
    """Never returned."""
    MODEL = "CITATION_ORIGIN_MODEL"
    """The model named the passage, as in "[2]"."""
    SERVER = "CITATION_ORIGIN_SERVER"
    """The server matched the words of a sentence, since small models name none."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {"CITATION_ORIGIN_UNSPECIFIED": 0, "CITATION_ORIGIN_MODEL": 1, "CITATION_ORIGIN_SERVER": 2}


CitationOriginName: TypeAlias = Literal["model", "server"]
"""The names of CitationOrigin in arguments of methods."""


class Collection(base.Model):
    """A set of documents that are searched together. All its vectors are of one model."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.Collection"

    id: str = ""
    """The id."""
    display_name: str = ""
    """The name for people."""
    embedding_model: str = ""
    """The name of the embedding model; the server's default if it is empty."""
    dimension: base.Int32 = 0
    """The number of values of the vectors."""
    chunk_tokens: base.Int32 = 0
    """The most tokens of a chunk: 256 if it is 0, from 32 to 2048."""
    chunk_overlap: base.Int32 | None = None
    """The tokens of a chunk that repeat the end of the one before; an eighth of `chunk_tokens` if it is absent, at
    most half of it.
    """
    document_count: base.Int32 = 0
    """The number of documents."""
    chunk_count: base.Int64 = 0
    """The number of chunks."""
    create_time: base.Timestamp | None = None
    """When the collection was created."""


class Document(base.Model):
    """A text in a collection."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.Document"

    id: str = ""
    """The id, unique in the collection."""
    collection: str = ""
    """The id of the collection."""
    display_name: str = ""
    """The name for people."""
    metadata: dict[str, str] = {}
    """What searches can filter by."""
    content_type: str = ""
    """The media type of the file."""
    page_count: base.Int32 = 0
    """The number of pages; 0 if it has none."""
    chunk_count: base.Int32 = 0
    """The number of chunks."""
    character_count: base.Int32 = 0
    """The number of characters (code points) of the text."""
    create_time: base.Timestamp | None = None
    """When the document was created or replaced."""


class Chunk(base.Model):
    """A part of a document's text."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.Chunk"

    index: base.Int32 = 0
    """The position in the document, from 0."""
    text: str = ""
    """The text."""
    span: Span | None = None
    """Where the text is in the document."""
    headings: list[str] = []
    """The headings above the text, the outermost first."""
    token_count: base.Int32 = 0
    """The number of tokens."""


class Span(base.Model):
    """A part of a document's text."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.Span"

    start: base.Int32 = 0
    """The first character, in code points from 0."""
    end: base.Int32 = 0
    """The character behind the last one."""
    page: base.Int32 = 0
    """The page of the first character, from 1; 0 if the document has no pages."""
    last_page: base.Int32 = 0
    """The page of the last character."""


class CreateCollectionRequest(base.Model):
    """A collection to create."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.CreateCollectionRequest"

    collection_id: str = ""
    """The id: letters, digits, `-`, `_` and `.`, at most 64; chosen by the server if it is empty. One that is taken
    is refused with ALREADY_EXISTS.
    """
    collection: Collection | None = None
    """The collection."""


class GetCollectionRequest(base.Model):
    """GetCollectionRequest names a collection."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.GetCollectionRequest"

    collection: str = ""
    """The id of the collection."""


class ListCollectionsRequest(base.Model):
    """ListCollectionsRequest names a page of the collections."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ListCollectionsRequest"

    page_size: base.Int32 = 0
    """The most collections to return: 50 if it is 0, and never more than 1000."""
    page_token: str = ""
    """The `next_page_token` of the previous page."""


class ListCollectionsResponse(base.Model):
    """A page of the collections."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ListCollectionsResponse"

    collections: list[Collection] = []
    """The collections."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class DeleteCollectionRequest(base.Model):
    """DeleteCollectionRequest names a collection to delete."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.DeleteCollectionRequest"

    collection: str = ""
    """The id of the collection."""
    force: bool = False
    """Whether to delete its documents too."""


class ReindexCollectionRequest(base.Model):
    """ReindexCollectionRequest names a collection to index again."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ReindexCollectionRequest"

    collection: str = ""
    """The id of the collection."""
    embedding_model: str = ""
    """Another embedding model; unchanged if it is empty."""
    chunk_tokens: base.Int32 = 0
    """Another `chunk_tokens`; unchanged if it is 0."""
    chunk_overlap: base.Int32 | None = None
    """Another `chunk_overlap`; unchanged if it is absent, unless it no longer fits."""


class CreateDocumentRequest(base.Model):
    """A piece of a document's file. All fields but the bytes of `content` are read from the first."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.CreateDocumentRequest"

    collection: str = ""
    """The id of the collection."""
    content: base.HttpBody | None = None
    """The next bytes of the file; in the first message with its media type, if that is known."""
    document_id: str = ""
    """The id of the document: letters, digits, `-`, `_` and `.`, at most 64; chosen by the server if it is empty."""
    replace: bool = False
    """Whether a document of this id is replaced; else it is refused with ALREADY_EXISTS."""
    display_name: str = ""
    """The name for people; the file's name if it is empty."""
    filename: str = ""
    """The name of the file, such as "report.docx"."""
    metadata: dict[str, str] = {}
    """What searches can filter by; at most 32 entries."""


class GetDocumentRequest(base.Model):
    """GetDocumentRequest names a document."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.GetDocumentRequest"

    collection: str = ""
    """The id of the collection."""
    document: str = ""
    """The id of the document."""


class ListDocumentsRequest(base.Model):
    """ListDocumentsRequest names a page of a collection's documents."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ListDocumentsRequest"

    collection: str = ""
    """The id of the collection."""
    page_size: base.Int32 = 0
    """The most documents to return: 50 if it is 0, and never more than 1000."""
    page_token: str = ""
    """The `next_page_token` of the previous page."""


class ListDocumentsResponse(base.Model):
    """A page of a collection's documents."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ListDocumentsResponse"

    documents: list[Document] = []
    """The documents."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class DeleteDocumentRequest(base.Model):
    """DeleteDocumentRequest names a document to delete."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.DeleteDocumentRequest"

    collection: str = ""
    """The id of the collection."""
    document: str = ""
    """The id of the document."""


class ReindexDocumentRequest(base.Model):
    """ReindexDocumentRequest names a document to index again."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ReindexDocumentRequest"

    collection: str = ""
    """The id of the collection."""
    document: str = ""
    """The id of the document."""


class ListChunksRequest(base.Model):
    """ListChunksRequest names a page of a document's chunks."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ListChunksRequest"

    collection: str = ""
    """The id of the collection."""
    document: str = ""
    """The id of the document."""
    page_size: base.Int32 = 0
    """The most chunks to return: 50 if it is 0, and never more than 1000."""
    page_token: str = ""
    """The `next_page_token` of the previous page."""


class ListChunksResponse(base.Model):
    """A page of a document's chunks."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.ListChunksResponse"

    chunks: list[Chunk] = []
    """The chunks."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class RetrievePassagesRequest(base.Model):
    """What to look for in a collection."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.RetrievePassagesRequest"

    collection: str = ""
    """The id of the collection."""
    query: str = ""
    """The text to look for, such as a question."""
    top_k: base.Int32 = 0
    """The number of passages to return: 5 if it is 0, and at most 100."""
    mode: RetrievalMode = RetrievalMode.UNSPECIFIED
    """How passages are found."""
    filter: dict[str, str] = {}
    """Only passages of documents that have all these metadata."""


class RetrievePassagesResponse(base.Model):
    """The passages that were found."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.RetrievePassagesResponse"

    passages: list[Passage] = []
    """The passages, the best first."""


class Passage(base.Model):
    """A chunk that was found."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.Passage"

    collection: str = ""
    """The id of the collection."""
    document: str = ""
    """The id of the document."""
    document_name: str = ""
    """The name of the document for people."""
    chunk: Chunk | None = None
    """The chunk."""
    score: base.Float = 0.0
    """How well it matches: the sum of reciprocal ranks, or the score of the only mode. Scores of two requests cannot
    be compared.
    """
    similarity: base.Float | None = None
    """The cosine similarity to the query; absent if it was found by words alone."""


class AskRequest(base.Model):
    """A question to a collection."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.AskRequest"

    collection: str = ""
    """The id of the collection."""
    question: str = ""
    """The question."""
    model: str = ""
    """The name of the chat model; the server's default if it is empty."""
    top_k: base.Int32 = 0
    """The most passages that the model reads: 5 if it is 0, and at most 50. Those that do not fit into the model's
    context are left out, from the worst on.
    """
    mode: RetrievalMode = RetrievalMode.UNSPECIFIED
    """How passages are found."""
    filter: dict[str, str] = {}
    """Only passages of documents that have all these metadata."""
    options: ai.ChatOptions | None = None
    """How the model generates."""


class AskResponse(base.Model):
    """One event of an answer."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.AskResponse"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {"event": ("passages", "text", "citation", "end")}

    passages: RetrievedPassages | None = None
    """The passages that the model reads, first of all; empty if nothing was found."""
    text: str | None = None
    """The next text of the answer."""
    citation: Citation | None = None
    """A passage that supports the text before it."""
    end: AnswerEnd | None = None
    """The end of the answer."""


class RetrievedPassages(base.Model):
    """The passages that a model reads."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.RetrievedPassages"

    passages: list[Passage] = []
    """The passages, the best first."""


class Citation(base.Model):
    """Citation points from an answer to the passage that supports it."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.Citation"

    passage: base.Int32 = 0
    """The position of the passage among the retrieved ones, from 1."""
    collection: str = ""
    """The id of the collection."""
    document: str = ""
    """The id of the document."""
    span: Span | None = None
    """Where the supporting text is in the document."""
    quote: str = ""
    """The supporting text."""
    answer_start: base.Int32 = 0
    """The first character of the answer that it supports, in code points from 0."""
    answer_end: base.Int32 = 0
    """The character of the answer behind the last one that it supports."""
    origin: CitationOrigin = CitationOrigin.UNSPECIFIED
    """Who made the citation."""


class AnswerEnd(base.Model):
    """The end of an answer."""

    __proto__ = "artificer.rag.v1.rag_service_pb2:artificer.rag.v1.AnswerEnd"

    finish_reason: ai.FinishReason = ai.FinishReason.UNSPECIFIED
    """Why the answer ended."""
    usage: ai.TokenUsage | None = None
    """The tokens."""
    model: str = ""
    """The name of the model."""
