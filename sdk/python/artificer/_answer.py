"""A model's answer, collected from the events of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .types.ai import FinishReason, TokenUsage, ToolCall
    from .types.conversation import Message
    from .types.rag import Citation, Passage


@dataclass(slots=True)
class Answer:
    """An answer. What its stream does not have stays empty or None."""

    text: str = ""
    finish_reason: FinishReason | None = None
    """Why it ended. None if the stream ended early."""
    usage: TokenUsage | None = None
    """The tokens of the prompt and of the answer."""
    tool_calls: list[ToolCall] = field(default_factory=list)
    """The tools that the model asks for, in a chat."""
    passages: list[Passage] = field(default_factory=list)
    """The passages that the model read, in an answer from collections."""
    citations: list[Citation] = field(default_factory=list)
    """The passages that support the text, by the characters of the text."""
    message: Message | None = None
    """The message as the conversation has stored it."""

    def add(self, event: Any) -> None:
        """Adds what an event has."""
        self.text += event.text or ""
        self.tool_calls += getattr(event, "tool_calls", ())
        if passages := getattr(event, "passages", None):
            self.passages = list(passages.passages)
        if citation := getattr(event, "citation", None):
            self.citations.append(citation)
        self.message = getattr(event, "finished", None) or self.message
        # A chat's last event, the end of an answer from a collection, and the stored message have the same two.
        for end in (event, getattr(event, "end", None), getattr(event, "finished", None)):
            if end is not None:
                self.usage = getattr(end, "usage", None) or self.usage
                reason = getattr(end, "finish_reason", None)
                if reason is not None and reason.number:
                    self.finish_reason = reason
