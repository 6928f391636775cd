"""The events of an answer that is grounded in passages.

Pure. The RAG and conversation services turn these into their own messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..library.values import Passage, Span
from ..models.values import Finish, Usage


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages that the model reads, the best first; the first event."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """The next text of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage that supports the text before it.

    `passage` counts from 1 among the retrieved ones. `span` and `quote` are the supporting text in the document, and
    `answer_start` and `answer_end` the characters of the answer that it supports. `by_model` is false if the server
    matched a sentence by its words.
    """

    passage: int
    collection: str
    document: str
    span: Span
    quote: str
    answer_start: int
    answer_end: int
    by_model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of the answer, with the model that wrote it."""

    finish: Finish | None
    usage: Usage
    model: str


Event = Retrieved | Text | Citation | Ended
