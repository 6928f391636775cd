"""Chats in OpenAI's form: one answer, or its Server-Sent Events as they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .._attempt import Metadata
from .._events import EventLines, completion_error
from .._method import Method
from .._options import CallOptions
from .._retry import RetryPolicy
from ..errors import UnknownError
from ..types.completions import ChatCompletion, ChatCompletionChunk
from .calls import Calls
from .streams import Stream
from .transport import Responses

M = TypeVar("M", bound=BaseModel)


def completion(
    calls: Calls, method: Method[Any, Any], fields: Mapping[str, Any], options: CallOptions
) -> ChatCompletion | Stream[ChatCompletionChunk]:
    """Returns the whole answer, or, if the field `stream` is set, the stream of its chunks, which has begun."""
    if not fields.get("stream"):
        # Streams have no deadline of their own accord; one answer has that of every other call.
        options = {"timeout": calls.options.timeout, **options}
        answer = calls.download(method, fields, options)
        return _read(ChatCompletion, answer.read(), {"content-type": answer.content_type})
    pieces: Stream[Any] = calls.stream(method, fields, options)

    def opened(_: Mapping[str, Any]) -> _Chunks:
        return _Chunks(pieces.__enter__())

    # An answer cannot be resumed, so that the policy is never asked.
    chunks: Stream[ChatCompletionChunk] = Stream(opened, method, RetryPolicy(), 0)
    return chunks.__enter__()


class _Chunks:
    """The chunks in the bytes of an answer."""

    def __init__(self, pieces: Responses[Any]) -> None:
        self._pieces, self.metadata = pieces, pieces.metadata

    def __iter__(self) -> Iterator[ChatCompletionChunk]:
        lines = EventLines()
        for piece in self._pieces:
            for data in lines.feed(piece.data):
                if data == b"[DONE]":
                    return
                if data.startswith(b'{"error"'):
                    raise completion_error(data, self.metadata)
                yield _read(ChatCompletionChunk, data, self.metadata)
        kind = self.metadata.get("content-type", "")
        text = f"the answer (content-type {kind!r}) ended without its last event; is it a gateway's?"
        raise UnknownError(text, request_id=str(self.metadata.get("x-request-id", "")), metadata=self.metadata)

    def close(self) -> None:
        """Ends the call."""
        self._pieces.close()


def _read(model: type[M], body: bytes, metadata: Metadata) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        kind = metadata.get("content-type", "")
        text = f"the answer is not a {model.__name__} in JSON (content-type {kind!r}); is it a gateway's?"
        raise UnknownError(text, request_id=str(metadata.get("x-request-id", "")), metadata=metadata) from error
