"""The servicer of artificer.openai.v1.OpenAIService: the models in the form of OpenAI's API."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import unquote

from google.api.httpbody_pb2 import HttpBody

from artificer.openai.v1 import openai_service_pb2 as pb
from artificer.openai.v1 import openai_service_pb2_grpc

from ...kit.errors import Fault, Invalid, NotFound, ServiceError
from ...kit.statuses import Context
from ..models.catalog import Models
from ..models.errors import Refused
from ..models.values import Delta
from .caller import caller_id
from .openai_answer import Chunks, completion
from .openai_embeddings import embeddings_out, texts_in
from .openai_request import chat_in
from .statuses import STATUSES

_EVENTS = "text/event-stream; charset=utf-8"


class OpenAIServicer(openai_service_pb2_grpc.OpenAIServiceServicer):
    """Serves OpenAIService from the models."""

    def __init__(self, models: Models) -> None:
        self._models, self._created = models, int(time.time())

    async def CreateChatCompletion(
        self, request: pb.CreateChatCompletionRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        async with STATUSES.abort_on_error(context):
            chat = chat_in(request)
            info = self._models.chat_info(request.model)
            if "logit_bias" in chat.options.more and info.kind != "upstream":
                raise Refused("logit_bias", f"the model {info.name} does not read it")
            name = info.name
            async with aclosing(self._models.generate(name, chat, caller=caller_id())) as batches:
                if not request.stream:
                    deltas: list[Delta] = []
                    async for batch in batches:
                        deltas += batch
                    yield HttpBody(content_type="application/json", data=completion(name, deltas))
                    return
                chunks = Chunks(name, usage=request.stream_options.include_usage)
                # Until the first part of the answer an error is a status; then only an event can tell it.
                before = chunks.first()
                try:
                    async for batch in batches:
                        yield HttpBody(content_type=_EVENTS, data=before + chunks.next(batch))
                        before = b""
                except ServiceError as error:
                    if before:
                        raise
                    yield HttpBody(content_type=_EVENTS, data=chunks.failed(error))
                    return
                yield HttpBody(content_type=_EVENTS, data=before + chunks.end())

    async def CreateEmbeddings(
        self, request: pb.CreateEmbeddingsRequest, context: Context
    ) -> pb.CreateEmbeddingsResponse:
        async with STATUSES.abort_on_error(context):
            info = self._models.embedding_info(request.model)
            texts = texts_in(request, info, self._models.max_embed_texts)
            try:
                made = await self._models.embed(info.name, texts, caller=caller_id())
            except Invalid as error:
                raise Invalid(*(_renamed(fault) for fault in error.faults)) from None
        return await embeddings_out(made, info.name, as_base64=request.encoding_format == "base64")

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        return pb.ListModelsResponse(object="list", data=self._all().values())

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.Model:
        async with STATUSES.abort_on_error(context):
            known = self._all()
            # A `/` that a client sends as %2F stays encoded in a variable of several segments.
            found = known.get(request.model) or known.get(unquote(request.model))
            if found is None:
                raise NotFound(f"there is no model {request.model[:64]!r}")
        return found

    def _all(self) -> dict[str, pb.Model]:
        found: dict[str, pb.Model] = {}
        for info in self._models.infos():
            # A chat model and an embedding model may have the same name.
            model = found.setdefault(
                info.name, pb.Model(id=info.name, object="model", created=self._created, owned_by=info.kind)
            )
            model.capabilities.append("chat" if info.chat else "embeddings")
            if info.context_tokens:
                model.context_length = info.context_tokens
            if info.dimension:
                model.dimension = info.dimension
        return found


def _renamed(fault: Fault) -> Fault:
    """Returns a fault of the models with the name that the texts have here."""
    return Fault(fault.field.replace("texts", "input", 1), fault.text)
