"""Writes a model's answer in OpenAI's form: as one JSON body, or as Server-Sent Events.

Pure. Knows no call. Events are joined from bytes that are the same in all of them, since a stream has thousands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import orjson

from ...kit.errors import Kind, ServiceError
from ..models.values import Delta, Finish, ToolCall, Usage

DONE = b"data: [DONE]\n\n"

# The `type` of OpenAI's errors, by which clients tell them apart.
_TYPES = {
    Kind.INVALID_ARGUMENT: "invalid_request_error",
    Kind.NOT_FOUND: "invalid_request_error",
    Kind.RESOURCE_EXHAUSTED: "rate_limit_exceeded",
}


class Chunks:
    """The events of one answer, in the order of `first`, `next` any number of times, and `end`."""

    def __init__(self, model: str, *, usage: bool) -> None:
        self._head = _head("chat.completion.chunk", model)
        self._usage = usage
        self._used: Usage | None = None
        self._calls = 0
        # What is before and after the JSON text of one piece.
        start, after = self._event({"content": None}, None).split(b"null", 1)
        self._before, self._between, self._after = start, after + start, after

    def first(self) -> bytes:
        """Returns the event that begins the answer."""
        return self._event({"role": "assistant", "content": ""}, None)

    def next(self, deltas: Sequence[Delta]) -> bytes:
        """Returns the events of the next parts of the answer."""
        texts = [
            orjson.dumps(delta.text) for delta in deltas if delta.text and delta.finish is None and not delta.tool_calls
        ]
        if len(texts) == len(deltas):  # nothing but texts, as nearly always
            return b"".join((self._before, self._between.join(texts), self._after))
        return b"".join(event for delta in deltas for event in self._events(delta))

    def end(self) -> bytes:
        """Returns the usage, if the request asked for it, and the end of the stream."""
        if not self._usage:
            return DONE
        return _data({**self._head, "choices": [], "usage": usage_out(self._used or Usage())}) + DONE

    def failed(self, error: ServiceError) -> bytes:
        """Returns an error in the middle of the stream, as OpenAI's servers send it."""
        body = {"message": error.message, "type": _TYPES.get(error.kind, "server_error"), "param": None, "code": None}
        return _data({"error": body})

    def _events(self, delta: Delta) -> list[bytes]:
        found = []
        if delta.text:
            found.append(self._event({"content": delta.text}, None))
        if delta.tool_calls:
            calls = [{"index": self._calls + number, **call} for number, call in enumerate(calls_out(delta.tool_calls))]
            self._calls += len(calls)
            found.append(self._event({"tool_calls": calls}, None))
        if delta.finish is not None:
            self._used = delta.usage
            found.append(self._event({}, delta.finish))
        return found

    def _event(self, delta: dict[str, Any], finish: Finish | None) -> bytes:
        chunk = {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        if self._usage:
            chunk["usage"] = None
        return _data(chunk)


def completion(model: str, deltas: Sequence[Delta]) -> bytes:
    """Returns the JSON body of a whole answer."""
    text = "".join(delta.text for delta in deltas)
    calls = calls_out([call for delta in deltas for call in delta.tool_calls])
    last = deltas[-1]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if calls:
        message["tool_calls"] = calls
    return orjson.dumps(
        {
            **_head("chat.completion", model),
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": last.finish or "stop"}],
            "usage": usage_out(last.usage or Usage()),
        }
    )


def usage_out(usage: Usage) -> dict[str, int]:
    """Returns usage as OpenAI writes it."""
    total = usage.prompt + usage.completion
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": total}


def calls_out(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Returns tool calls as OpenAI writes them."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _data(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
