"""Reads the chunks of llama.cpp's answer, in OpenAI's form, into the parts that a worker process sends.

Parts are `{"text"}`, `{"refused"}`, `{"too_long": [tokens, most]}`, `{"failed"}`, and at the end `{"finish", "prompt",
"completion", "tools"}`. Tool calls come in pieces, and are sent whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_STUCK = "empty grammar stack"
"""What llama.cpp reports, as a fault of its own, when no text can follow by the schema, as with the pattern `[z-a]`."""
_UNREADABLE = "failed to parse grammar"
"""What it reports of a schema's grammar with thousands of repetitions or rules, or a reference to itself alone."""


class AnswerReader:
    """The state of one answer. `sent` is whether the last chunk gave a part."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.sent = False
        self._send_part = send
        self._finish = ""
        self._usage: Mapping[str, Any] = {}
        self._calls: dict[int, dict[str, str]] = {}
        self._failed = False

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Read a chunk, or an error in place of one."""
        self.sent = False
        if error := chunk.get("error"):
            self._failed = True
            self._send(_failure(error))
            return
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices", ()):
            self._finish = choice.get("finish_reason") or self._finish
            delta = choice.get("delta", {})
            if text := delta.get("content"):
                self._send({"text": text})
            for call in delta.get("tool_calls") or ():
                self._call(call)

    def end(self) -> None:
        """Send the end of an answer; nothing if it failed or was cancelled."""
        if self._finish and not self._failed:
            usage = self._usage
            counts = {"prompt": usage.get("prompt_tokens", 0), "completion": usage.get("completion_tokens", 0)}
            calls = [self._calls[at] for at in sorted(self._calls)]
            self._send({"finish": self._finish, "tools": calls, **counts})

    def _send(self, part: dict[str, Any]) -> None:
        self.sent = True
        self._send_part(part)

    def _call(self, piece: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(piece.get("index", 0), {"id": "", "name": "", "arguments": ""})
        function = piece.get("function", {})
        call["id"] += piece.get("id") or ""
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""


def _failure(error: Mapping[str, Any]) -> dict[str, Any]:
    if error.get("type") == "exceed_context_size_error":
        return {"too_long": [error.get("n_prompt_tokens", 0), error.get("n_ctx", 0)]}
    text = str(error.get("message", "no message"))
    if _STUCK in text:
        return {"refused": "no answer can keep the JSON schema: one of its patterns allows no character"}
    return refusal(text) if error.get("code") == 400 else {"failed": text}


def refusal(text: str) -> dict[str, str]:
    """Returns the part for what llama.cpp says of a request that it refuses."""
    if _UNREADABLE in text:
        text = "the JSON schema is too large, repeats something thousands of times, or refers to itself without end"
    return {"refused": text}
