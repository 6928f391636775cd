"""`client.embeddings`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ... import types
from ..._methods.ai import AiWorkerService
from ..._methods.openai import OpenAIService
from ..._options import CallOptions
from ..resource import AsyncResource


class AsyncEmbeddings(AsyncResource):
    """`client.embeddings`: vectors of texts."""

    async def get(
        self, texts: Sequence[str], *, model: str | None = None, **call_options: Unpack[CallOptions]
    ) -> types.ai.GetEmbeddingResponse:
        """Returns the vectors of texts. `POST /v1/embeddings` is artificer.openai.v1's, in OpenAI's form.

        Args:
            texts: The texts. None may be empty.
            model: The name of the model; the server's default if it is empty.
        """
        return await self._calls.unary(AiWorkerService.GET_EMBEDDING, {"texts": texts, "model": model}, call_options)

    async def create(
        self,
        input: str | Sequence[str],
        *,
        model: str | None = None,
        encoding_format: str | None = None,
        dimensions: int | None = None,
        user: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.openai.CreateEmbeddingsResponse:
        """Returns the vectors of texts.

        Args:
            input: A text, or a list of texts. Lists of tokens are refused.
            model: The name of the model; the server's default if it is empty.
            encoding_format: "float" (the default), or "base64" of little-endian 32-bit floats.
            dimensions: Only the dimension of the model is accepted.
            user: The user of the application; not used.
        """
        return await self._calls.unary(
            OpenAIService.CREATE_EMBEDDINGS,
            {
                "input": input,
                "model": model,
                "encoding_format": encoding_format,
                "dimensions": dimensions,
                "user": user,
            },
            call_options,
        )
