"""The servicer of artificer.rag.v1.RagService: maps protos to the library and to grounded answers, decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from google.protobuf import empty_pb2

from artificer.rag.v1 import rag_service_pb2 as pb
from artificer.rag.v1 import rag_service_pb2_grpc

from ...kit.client_stream import ClientStream
from ...kit.errors import Fault, Invalid
from ...kit.fields import renamed
from ...kit.statuses import Context
from ..grounding.answers import Answers
from ..library.library import Library
from .caller import caller_id
from .chat_values import to_options
from .library_values import collection_of, document_of, event_of, to_query
from .passage_values import chunk_of, passage_of
from .statuses import STATUSES
from .uploads import received

_MOST_ASKED = 50  # passages for a model
_COLLECTION = {
    "embedding_model": "collection.embedding_model",
    "model": "collection.embedding_model",
    "chunk_tokens": "collection.chunk_tokens",
    "chunk_overlap": "collection.chunk_overlap",
}
_REINDEXED = {"model": "embedding_model"}
_CONTENT = {"data": "content.data", "content_type": "content.content_type"}
_ASKED = {"query": "question", "messages": "question", "max_tokens": "options.max_tokens"}


class RagServicer(rag_service_pb2_grpc.RagServiceServicer):
    """Serves RagService from a library and its answers."""

    def __init__(self, library: Library, answers: Answers) -> None:
        self._library, self._answers = library, answers

    async def CreateCollection(self, request: pb.CreateCollectionRequest, context: Context) -> pb.Collection:
        asked = request.collection
        async with STATUSES.abort_on_error(context):
            with renamed(_COLLECTION):
                made = await self._library.create_collection(
                    request.collection_id,
                    display_name=asked.display_name,
                    embedding_model=asked.embedding_model,
                    chunk_tokens=asked.chunk_tokens,
                    chunk_overlap=asked.chunk_overlap if asked.HasField("chunk_overlap") else None,
                    caller=caller_id(),
                )
        return collection_of(made)

    async def GetCollection(self, request: pb.GetCollectionRequest, context: Context) -> pb.Collection:
        async with STATUSES.abort_on_error(context):
            found = await self._library.collection(request.collection)
        return collection_of(found)

    async def ListCollections(self, request: pb.ListCollectionsRequest, context: Context) -> pb.ListCollectionsResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._library.collections(request.page_size, request.page_token)
        return pb.ListCollectionsResponse(collections=map(collection_of, found), next_page_token=token)

    async def DeleteCollection(self, request: pb.DeleteCollectionRequest, context: Context) -> empty_pb2.Empty:
        async with STATUSES.abort_on_error(context):
            await self._library.delete_collection(request.collection, force=request.force)
        return empty_pb2.Empty()

    async def ReindexCollection(self, request: pb.ReindexCollectionRequest, context: Context) -> pb.Collection:
        async with STATUSES.abort_on_error(context):
            with renamed(_REINDEXED):
                made = await self._library.reindex_collection(
                    request.collection,
                    embedding_model=request.embedding_model,
                    chunk_tokens=request.chunk_tokens,
                    chunk_overlap=request.chunk_overlap if request.HasField("chunk_overlap") else None,
                    caller=caller_id(),
                )
        return collection_of(made)

    async def CreateDocument(
        self, request_iterator: AsyncIterator[pb.CreateDocumentRequest], context: Context
    ) -> pb.Document:
        async with STATUSES.abort_on_error(context):
            with renamed(_CONTENT):
                limit = self._library.settings.max_document_bytes
                first, file = await received(ClientStream(request_iterator), limit)
                document, _ = await self._library.add_document(
                    first.collection,
                    file.data,
                    document_id=first.document_id,
                    replace=first.replace,
                    display_name=first.display_name,
                    content_type=file.content_type,
                    filename=first.filename or file.filename,
                    metadata=dict(first.metadata),
                    caller=caller_id(),
                )
        return document_of(document)

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Context) -> pb.Document:
        async with STATUSES.abort_on_error(context):
            found = await self._library.document(request.collection, request.document)
        return document_of(found)

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Context) -> pb.ListDocumentsResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._library.documents(request.collection, request.page_size, request.page_token)
        return pb.ListDocumentsResponse(documents=map(document_of, found), next_page_token=token)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, context: Context) -> empty_pb2.Empty:
        async with STATUSES.abort_on_error(context):
            await self._library.delete_document(request.collection, request.document)
        return empty_pb2.Empty()

    async def ReindexDocument(self, request: pb.ReindexDocumentRequest, context: Context) -> pb.Document:
        async with STATUSES.abort_on_error(context):
            made = await self._library.reindex_document(request.collection, request.document, caller=caller_id())
        return document_of(made)

    async def ListChunks(self, request: pb.ListChunksRequest, context: Context) -> pb.ListChunksResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._library.chunks(
                request.collection, request.document, request.page_size, request.page_token
            )
        return pb.ListChunksResponse(chunks=map(chunk_of, found), next_page_token=token)

    async def RetrievePassages(
        self, request: pb.RetrievePassagesRequest, context: Context
    ) -> pb.RetrievePassagesResponse:
        async with STATUSES.abort_on_error(context):
            query = to_query(request.query, request.top_k, request.mode, request.filter)
            found = await self._library.retrieve([request.collection], query, caller=caller_id())
        return pb.RetrievePassagesResponse(passages=map(passage_of, found))

    async def Ask(self, request: pb.AskRequest, context: Context) -> AsyncIterator[pb.AskResponse]:
        async with STATUSES.abort_on_error(context):
            with renamed(_ASKED):
                query = to_query(request.question, request.top_k, request.mode, request.filter)
                if not 1 <= query.top_k <= _MOST_ASKED:
                    raise Invalid(Fault("top_k", f"must be from 1 to {_MOST_ASKED}, but is {query.top_k}"))
                answer = self._answers.answer(
                    [request.collection],
                    query,
                    model=request.model,
                    options=to_options(request.options),
                    caller=caller_id(),
                )
                async with aclosing(answer) as batches:
                    async for events in batches:
                        for event in events:
                            yield event_of(event)
