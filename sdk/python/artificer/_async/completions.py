"""Chats in OpenAI's form: one answer, or its Server-Sent Events as they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from .._events import EventLines, completion_error
from .._method import Method
from .._options import CallOptions
from .._retry import RetryPolicy
from ..types.completions import ChatCompletion, ChatCompletionChunk
from .calls import AsyncCalls
from .streams import AsyncStream
from .transport import AsyncResponses


async def completion(
    calls: AsyncCalls, method: Method[Any, Any], fields: Mapping[str, Any], options: CallOptions
) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
    """Returns the whole answer, or, if the field `stream` is set, the stream of its chunks, which has begun."""
    if not fields.get("stream"):
        # Streams have no deadline of their own accord; one answer has that of every other call.
        options = {"timeout": calls.options.timeout, **options}
        return ChatCompletion.model_validate_json(await calls.download(method, fields, options).read())
    pieces: AsyncStream[Any] = calls.stream(method, fields, options)

    async def opened(_: Mapping[str, Any]) -> _Chunks:
        return _Chunks(await pieces.__aenter__())

    # An answer cannot be resumed, so that the policy is never asked.
    chunks: AsyncStream[ChatCompletionChunk] = AsyncStream(opened, method, RetryPolicy(), 0)
    return await chunks.__aenter__()


class _Chunks:
    """The chunks in the bytes of an answer."""

    def __init__(self, pieces: AsyncResponses[Any]) -> None:
        self._pieces, self.metadata = pieces, pieces.metadata

    async def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
        lines = EventLines()
        async for piece in self._pieces:
            for data in lines.feed(piece.data):
                if data == b"[DONE]":
                    return
                if data.startswith(b'{"error"'):
                    raise completion_error(data, self.metadata)
                yield ChatCompletionChunk.model_validate_json(data)

    async def aclose(self) -> None:
        """Ends the call."""
        await self._pieces.aclose()
