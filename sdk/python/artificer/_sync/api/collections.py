"""`client.collections`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Unpack

from ... import types
from ..._files import FileInput
from ..._methods.ai import AiWorkerService
from ..._methods.rag import RagService
from ..._options import CallOptions
from ..answers import AnswerStream
from ..pages import Pager
from ..resource import Resource


class CollectionsDocumentsChunks(Resource):
    """`client.collections.documents.chunks`."""

    def list(
        self, collection: str, document: str, *, page_size: int | None = None, **call_options: Unpack[CallOptions]
    ) -> Pager[types.rag.Chunk]:
        """Returns the chunks of a document, page by page, in the order of its text.

        Args:
            collection: The id of the collection.
            document: The id of the document.
            page_size: The most chunks to return: 50 if it is 0, and never more than 1000.
        """
        return self._calls.pages(
            RagService.LIST_CHUNKS,
            "chunks",
            {"collection": collection, "document": document, "page_size": page_size},
            call_options,
        )


class CollectionsDocuments(Resource):
    """`client.collections.documents`."""

    @cached_property
    def chunks(self) -> CollectionsDocumentsChunks:
        """`client.collections.documents.chunks`."""
        return CollectionsDocumentsChunks(self._calls)

    def create(
        self,
        collection: str,
        file: FileInput,
        *,
        document_id: str | None = None,
        replace: bool | None = None,
        display_name: str | None = None,
        filename: str | None = None,
        metadata: Mapping[str, str] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.rag.Document:
        """Reads a file, divides it into chunks, embeds and stores them. The first message carries the options.

        Args:
            collection: The id of the collection.
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            document_id: The id of the document: letters, digits, `-`, `_` and `.`, at most 64; chosen by the
                server if it is empty.
            replace: Whether a document of this id is replaced; else it is refused with ALREADY_EXISTS.
            display_name: The name for people; the file's name if it is empty.
            filename: The name of the file, such as "report.docx".
            metadata: What searches can filter by; at most 32 entries.
        """
        return self._calls.upload(
            RagService.CREATE_DOCUMENT,
            file,
            {
                "collection": collection,
                "document_id": document_id,
                "replace": replace,
                "display_name": display_name,
                "filename": filename,
                "metadata": metadata,
            },
            call_options,
        )

    def get(self, collection: str, document: str, **call_options: Unpack[CallOptions]) -> types.rag.Document:
        """Returns one document.

        Args:
            collection: The id of the collection.
            document: The id of the document.
        """
        return self._calls.unary(
            RagService.GET_DOCUMENT, {"collection": collection, "document": document}, call_options
        )

    def list(
        self, collection: str, *, page_size: int | None = None, **call_options: Unpack[CallOptions]
    ) -> Pager[types.rag.Document]:
        """Returns the documents of a collection, page by page, sorted by id.

        Args:
            collection: The id of the collection.
            page_size: The most documents to return: 50 if it is 0, and never more than 1000.
        """
        return self._calls.pages(
            RagService.LIST_DOCUMENTS, "documents", {"collection": collection, "page_size": page_size}, call_options
        )

    def delete(self, collection: str, document: str, **call_options: Unpack[CallOptions]) -> None:
        """Deletes a document with its chunks.

        Args:
            collection: The id of the collection.
            document: The id of the document.
        """
        self._calls.unary(RagService.DELETE_DOCUMENT, {"collection": collection, "document": document}, call_options)

    def reindex(self, collection: str, document: str, **call_options: Unpack[CallOptions]) -> types.rag.Document:
        """Divides and embeds one document again, from its stored text.

        Args:
            collection: The id of the collection.
            document: The id of the document.
        """
        return self._calls.unary(
            RagService.REINDEX_DOCUMENT, {"collection": collection, "document": document}, call_options
        )


class Collections(Resource):
    """`client.collections`: documents that can be searched, and answers from them."""

    @cached_property
    def documents(self) -> CollectionsDocuments:
        """`client.collections.documents`."""
        return CollectionsDocuments(self._calls)

    def search(
        self,
        collection: str,
        *,
        text: str | None = None,
        vector: types.ai.Embedding | Mapping[str, Any] | None = None,
        top_k: int | None = None,
        filter: Mapping[str, str] | None = None,
        min_score: float | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.ai.VectorSearchResponse:
        """Returns the chunks of a collection whose vectors are closest to a text or a vector.

        Args:
            collection: The id of the collection.
            text: A text, which the collection's model embeds.
            vector: A vector of the collection's model, with its dimension.
            top_k: The number of chunks to return: 10 if it is 0, and at most 1000.
            filter: Only chunks of documents that have all these metadata.
            min_score: The lowest cosine similarity to return, from -1 to 1.
        """
        return self._calls.unary(
            AiWorkerService.VECTOR_SEARCH,
            {
                "collection": collection,
                "text": text,
                "vector": vector,
                "top_k": top_k,
                "filter": filter,
                "min_score": min_score,
            },
            call_options,
        )

    def create(
        self,
        collection_id: str | None = None,
        *,
        display_name: str | None = None,
        embedding_model: str | None = None,
        chunk_tokens: int | None = None,
        chunk_overlap: int | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.rag.Collection:
        """Makes an empty collection.

        Args:
            collection_id: The id: letters, digits, `-`, `_` and `.`, at most 64; chosen by the server if it is
                empty. One that is taken is refused with ALREADY_EXISTS.
            display_name: The name for people.
            embedding_model: The name of the embedding model; the server's default if it is empty.
            chunk_tokens: The most tokens of a chunk: 256 if it is 0, from 32 to 2048.
            chunk_overlap: The tokens of a chunk that repeat the end of the one before; an eighth of
                `chunk_tokens` if it is absent, at most half of it.
        """
        return self._calls.unary(
            RagService.CREATE_COLLECTION,
            {
                "collection_id": collection_id,
                "collection.display_name": display_name,
                "collection.embedding_model": embedding_model,
                "collection.chunk_tokens": chunk_tokens,
                "collection.chunk_overlap": chunk_overlap,
            },
            call_options,
        )

    def get(self, collection: str, **call_options: Unpack[CallOptions]) -> types.rag.Collection:
        """Returns one collection.

        Args:
            collection: The id of the collection.
        """
        return self._calls.unary(RagService.GET_COLLECTION, {"collection": collection}, call_options)

    def list(self, *, page_size: int | None = None, **call_options: Unpack[CallOptions]) -> Pager[types.rag.Collection]:
        """Returns the collections, page by page, sorted by id.

        Args:
            page_size: The most collections to return: 50 if it is 0, and never more than 1000.
        """
        return self._calls.pages(RagService.LIST_COLLECTIONS, "collections", {"page_size": page_size}, call_options)

    def delete(self, collection: str, *, force: bool | None = None, **call_options: Unpack[CallOptions]) -> None:
        """Deletes a collection. It is refused if the collection has documents, unless `force` is set.

        Args:
            collection: The id of the collection.
            force: Whether to delete its documents too.
        """
        self._calls.unary(RagService.DELETE_COLLECTION, {"collection": collection, "force": force}, call_options)

    def reindex(
        self,
        collection: str,
        *,
        embedding_model: str | None = None,
        chunk_tokens: int | None = None,
        chunk_overlap: int | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.rag.Collection:
        """Divides and embeds every document again, by the collection's settings and `embedding_model`. The old
        chunks are found until the new ones are there, document by document.

        Args:
            collection: The id of the collection.
            embedding_model: Another embedding model; unchanged if it is empty.
            chunk_tokens: Another `chunk_tokens`; unchanged if it is 0.
            chunk_overlap: Another `chunk_overlap`; unchanged if it is absent, unless it no longer fits.
        """
        return self._calls.unary(
            RagService.REINDEX_COLLECTION,
            {
                "collection": collection,
                "embedding_model": embedding_model,
                "chunk_tokens": chunk_tokens,
                "chunk_overlap": chunk_overlap,
            },
            call_options,
        )

    def retrieve(
        self,
        collection: str,
        query: str,
        *,
        top_k: int | None = None,
        mode: types.rag.RetrievalMode | types.rag.RetrievalModeName | None = None,
        filter: Mapping[str, str] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.rag.RetrievePassagesResponse:
        """Finds the passages of a collection that match a text, by words (BM25), by vectors, or by both.

        Args:
            collection: The id of the collection.
            query: The text to look for, such as a question.
            top_k: The number of passages to return: 5 if it is 0, and at most 100.
            mode: How passages are found.
            filter: Only passages of documents that have all these metadata.
        """
        return self._calls.unary(
            RagService.RETRIEVE_PASSAGES,
            {"collection": collection, "query": query, "top_k": top_k, "mode": mode, "filter": filter},
            call_options,
        )

    def ask(
        self,
        collection: str,
        question: str,
        *,
        model: str | None = None,
        top_k: int | None = None,
        mode: types.rag.RetrievalMode | types.rag.RetrievalModeName | None = None,
        filter: Mapping[str, str] | None = None,
        options: types.ai.ChatOptions | Mapping[str, Any] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> AnswerStream[types.rag.AskResponse]:
        """Answers a question from the passages of a collection. The stream has the passages first, then the answer
        piece by piece, each citation behind the text that it supports, and the end with finish reason and usage.

        Args:
            collection: The id of the collection.
            question: The question.
            model: The name of the chat model; the server's default if it is empty.
            top_k: The most passages that the model reads: 5 if it is 0, and at most 50. Those that do not fit
                into the model's context are left out, from the worst on.
            mode: How passages are found.
            filter: Only passages of documents that have all these metadata.
            options: How the model generates.
        """
        return AnswerStream(
            self._calls.stream(
                RagService.ASK,
                {
                    "collection": collection,
                    "question": question,
                    "model": model,
                    "top_k": top_k,
                    "mode": mode,
                    "filter": filter,
                    "options": options,
                },
                call_options,
            )
        )
