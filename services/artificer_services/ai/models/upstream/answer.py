"""Turns the chunks of a streamed chat completion into deltas, and puts the fragments of tool calls together.

Pure. An answer of the wrong form raises WrongForm, whose text is safe to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

import orjson

from ..values import Delta, Finish, ToolCall, Usage

DONE = b"[DONE]"

_FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
}
_MOST_CALLS = 128  # of one answer; as many as a request may have tools


class WrongForm(ValueError):
    """The answer is not what OpenAI's protocol says."""


class ErrorInAnswer(Exception):
    """The server reported an error in the middle of a stream; `body` is its JSON."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body


class AnswerReader:
    """Reads one answer. `ended` is true after its last event, `moved` if the last events had anything of the answer."""

    def __init__(self) -> None:
        self.ended = False
        self.moved = False
        self.finish: Finish | None = None
        self._usage: Usage | None = None
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._refused = False

    def read(self, events: Sequence[bytes], found: list[Delta]) -> None:
        """Add the deltas of the next events to `found`, without the last one of the answer.

        Raises WrongForm and ErrorInAnswer, when those before have been added.
        """
        self.moved = False
        for chunk in self._chunks(events):
            # Nearly every chunk has one choice with a text and nothing else, so that this is the fast path.
            try:
                choice = chunk["choices"][0]
                text = choice["delta"]["content"]
            except (KeyError, IndexError, TypeError):
                self._read(chunk, found)
                continue
            if text.__class__ is str and len(choice["delta"]) <= 2 and not choice.get("finish_reason"):
                if text:
                    found.append(Delta(text))
                if chunk.get("usage"):
                    self._usage = _usage(chunk["usage"]) or self._usage
            else:
                self._read(chunk, found)
        if found:
            self.moved = True

    def last(self) -> list[Delta]:
        """Returns the tool calls, if any, and the delta that ends the answer.

        Raises WrongForm if the stream ended in the middle of the answer.
        """
        if self.finish is None and not self.ended:
            raise WrongForm("the answer breaks off")
        finish = self.finish or (Finish.TOOL_CALLS if self._calls else Finish.STOP)
        if self._refused and finish is Finish.STOP:
            finish = Finish.CONTENT_FILTER
        calls = tuple(call.whole() for call in self._calls)
        return [*([Delta(tool_calls=calls)] if calls else ()), Delta(finish=finish, usage=self._usage)]

    def whole(self, answer: Any) -> list[Delta]:
        """Returns all deltas of an answer that the server did not stream, from its JSON values. Raises as `read`."""
        found: list[Delta] = []
        if isinstance(answer, dict) and isinstance(choices := answer.get("choices"), list):
            messages = [{**choice, "delta": choice.get("message")} for choice in choices if isinstance(choice, dict)]
            answer = {**answer, "choices": messages}
        self._read(answer, found)
        self.ended = self.finish is not None
        return [*found, *self.last()]

    def _chunks(self, events: Sequence[bytes]) -> Iterable[Any]:
        if DONE in events:
            self.ended = True
            events = events[: events.index(DONE)]
        if len(events) > 1:
            # One call of the parser for all costs half as much as one for each.
            try:
                chunks: list[Any] = orjson.loads(b"[" + b",".join(events) + b"]")
            except orjson.JSONDecodeError:
                pass
            else:
                if len(chunks) == len(events):
                    return chunks
        return map(_parsed, events)

    def _read(self, chunk: Any, found: list[Delta]) -> None:
        if not isinstance(chunk, dict):
            raise WrongForm("a chunk of the answer is not a JSON object")
        if chunk.get("error"):
            raise ErrorInAnswer(chunk)
        self._usage = _usage(chunk.get("usage")) or self._usage
        choices = chunk.get("choices")
        if not choices:
            return  # the usage, or a server's own kind of chunk
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise WrongForm("a chunk of the answer has choices of the wrong form")
        choice = choices[0]
        delta = choice.get("delta")
        if delta is not None:
            if not isinstance(delta, dict):
                raise WrongForm("a chunk of the answer has a delta of the wrong form")
            self._read_delta(delta, found)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            # Servers have reasons of their own, such as "eos": each of them is an end.
            self.finish = _FINISHES.get(reason, Finish.STOP)
            self.moved = True

    def _read_delta(self, delta: dict[str, Any], found: list[Delta]) -> None:
        for field in ("content", "refusal"):
            text = delta.get(field)
            if text is None:
                continue
            if not isinstance(text, str):
                raise WrongForm(f"a chunk of the answer has a {field} that is not a text")
            if text:
                self._refused |= field == "refusal"
                found.append(Delta(text))
        if delta.get("reasoning_content") or delta.get("reasoning"):
            self.moved = True  # by its reasoning, which is not relayed
        fragments = delta.get("tool_calls")
        if fragments is None:
            return
        if not isinstance(fragments, list):
            raise WrongForm("a chunk of the answer has tool calls of the wrong form")
        for fragment in fragments:
            self._add(fragment)

    def _add(self, fragment: Any) -> None:
        function = fragment.get("function") if isinstance(fragment, dict) else None
        if not isinstance(function, dict):
            raise WrongForm("a chunk of the answer has a tool call of the wrong form")
        self.moved = True
        identity = _text(fragment.get("id"))
        name, arguments = _text(function.get("name")), function.get("arguments")
        index = fragment.get("index")
        # Some servers send whole calls without an index, or all of them with index 0.
        call = self._by_index.get(index) if isinstance(index, int) else None
        if call is None and not isinstance(index, int) and not name and self._calls:
            call = self._calls[-1]
        if call is None or (identity and call.id and identity != call.id):
            if len(self._calls) >= _MOST_CALLS:
                raise WrongForm("the answer has too many tool calls")
            call = _Call()
            self._calls.append(call)
            if isinstance(index, int):
                self._by_index[index] = call
        call.id = call.id or identity
        call.name += name if call.name != name else ""  # repeated with every fragment by some servers
        if isinstance(arguments, dict):  # Ollama's own form
            arguments = orjson.dumps(arguments).decode()
        call.arguments.append(_text(arguments))


class _Call:
    """A tool call whose fragments arrive."""

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []

    def whole(self) -> ToolCall:
        if not self.name:
            raise WrongForm("the answer has a tool call without a name")
        return ToolCall(id=self.id or f"call_{uuid4().hex[:24]}", name=self.name, arguments="".join(self.arguments))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WrongForm("a chunk of the answer has a tool call of the wrong form")
    return value


def _parsed(event: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(event)
    except orjson.JSONDecodeError:
        raise WrongForm("a chunk of the answer is not JSON") from None
    if not isinstance(chunk, dict):
        raise WrongForm("a chunk of the answer is not a JSON object")
    return chunk


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    return Usage(prompt=count(usage.get("prompt_tokens")), completion=count(usage.get("completion_tokens")))


def count(value: Any) -> int:
    """Returns a number of tokens; 0 for anything that is none, and beyond the int32 of our contracts."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else 0
