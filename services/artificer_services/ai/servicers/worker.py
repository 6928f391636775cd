"""The servicer of artificer.ai.v1.AiWorkerService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from artificer.ai.v1 import ai_worker_service_pb2 as pb
from artificer.ai.v1 import ai_worker_service_pb2_grpc

from ...kit.errors import Fault, Invalid
from ...kit.fields import renamed
from ...kit.statuses import Context
from ..library.assets import AssetRequest, Assets
from ..library.library import Library
from ..library.values import Passage
from ..models.catalog import Models
from ..models.values import Embedded, ModelInfo, Usage
from ..reading.values import AssetKind
from .caller import caller_id
from .chat_values import finish_of, to_chat, tool_calls_of, usage_of
from .statuses import STATUSES

_MANY = 65536  # values of vectors; writing them takes 5 ms
_MATCHES = 10
_KINDS = {kind: pb.AssetKind.Value(f"ASSET_KIND_{kind.name}") for kind in AssetKind}


class AiWorkerServicer(ai_worker_service_pb2_grpc.AiWorkerServiceServicer):
    """Serves AiWorkerService from the models, the library and its assets."""

    def __init__(self, models: Models, library: Library, assets: Assets) -> None:
        self._models, self._library, self._assets = models, library, assets

    async def ProcessAsset(self, request: pb.ProcessAssetRequest, context: Context) -> pb.ProcessAssetResponse:
        async with STATUSES.abort_on_error(context):
            # What is wrong with the bytes is the fault of the field that named them.
            with renamed({"document_id": "document", "data": request.WhichOneof("source") or "data"}):
                done = await self._assets.process(_asset_request(request), caller=caller_id())
        made = done.document
        return pb.ProcessAssetResponse(
            status=pb.ASSET_STATUS_QUEUED if made is None else pb.ASSET_STATUS_INDEXED,
            document=done.document_id,
            kind=_KINDS[done.kind],
            page_count=made.page_count if made else 0,
            chunk_count=made.chunk_count if made else 0,
            job=done.job,
        )

    async def VectorSearch(self, request: pb.VectorSearchRequest, context: Context) -> pb.VectorSearchResponse:
        async with STATUSES.abort_on_error(context):
            if request.WhichOneof("query") is None:
                raise Invalid(Fault("text", "expected a text or a vector"))
            with renamed({"vector": "vector.values"}):
                found, model = await self._library.search(
                    request.collection,
                    text=request.text,
                    vector=list(request.vector.values) if request.HasField("vector") else None,
                    top_k=request.top_k or _MATCHES,
                    filter=dict(request.filter),
                    min_score=request.min_score if request.HasField("min_score") else None,
                    caller=caller_id(),
                )
        return pb.VectorSearchResponse(matches=map(_match, found), model=model)

    async def ChatStream(self, request: pb.ChatStreamRequest, context: Context) -> AsyncIterator[pb.ChatStreamResponse]:
        async with STATUSES.abort_on_error(context):
            chat = to_chat(request.messages, request.options, request.tools)
            name = self._models.chat_info(request.model).name
            begun = ""
            async with aclosing(self._models.generate(name, chat, caller=caller_id())) as batches:
                async for batch in batches:
                    for delta in batch:
                        if delta.finish is None and not delta.tool_calls and begun:  # nearly all are a text alone
                            yield pb.ChatStreamResponse(text=delta.text)
                            continue
                        yield pb.ChatStreamResponse(
                            text=delta.text,
                            tool_calls=tool_calls_of(delta.tool_calls),
                            finish_reason=finish_of(delta.finish),
                            usage=usage_of(delta.usage),
                            model="" if begun else name,
                        )
                        begun = name

    async def GetEmbedding(self, request: pb.GetEmbeddingRequest, context: Context) -> pb.GetEmbeddingResponse:
        async with STATUSES.abort_on_error(context):
            info, most = self._models.embedding_info(request.model), self._models.max_embed_texts
            if not request.texts:
                raise Invalid(Fault("texts", "expected at least one text"))
            if len(request.texts) > most:
                text = f"the request has {len(request.texts):,} texts; at most {most:,} are accepted"
                raise Invalid(Fault("texts", text))
            made = await self._models.embed(info.name, list(request.texts), caller=caller_id())
        many = made.vectors.size > _MANY
        return await asyncio.to_thread(_embedding_response, made, info) if many else _embedding_response(made, info)


def _embedding_response(made: Embedded, info: ModelInfo) -> pb.GetEmbeddingResponse:
    return pb.GetEmbeddingResponse(
        embeddings=[pb.Embedding(values=row.tolist()) for row in made.vectors],
        model=info.name,
        dimension=info.dimension,
        usage=usage_of(Usage(prompt=made.tokens)),
    )


def _asset_request(request: pb.ProcessAssetRequest) -> AssetRequest:
    return AssetRequest(
        data=request.data if request.HasField("data") else None,
        blob=request.blob,
        uri=request.uri,
        collection=request.collection,
        document=request.document,
        display_name=request.display_name,
        content_type=request.content_type,
        filename=request.filename,
        metadata=dict(request.metadata),
        background=request.background,
    )


def _match(passage: Passage) -> pb.VectorMatch:
    chunk = passage.chunk
    return pb.VectorMatch(
        document=passage.document,
        chunk=chunk.index,
        score=passage.score,
        text=chunk.text,
        page=chunk.span.page,
        headings=chunk.headings,
        metadata=passage.metadata,
    )
