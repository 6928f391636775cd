"""Lines of text for people: records, tables and the events of streams, safe for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..text import one_line
from ..text import plain as safe
from .plain import flat, plain


def record(value: Any, indent: str = "") -> Iterator[str]:
    """Yields the lines of one value: its fields, with those inside it indented."""
    if not isinstance(value, Mapping | list):
        yield from (indent + safe(line) for line in str(value).splitlines())
        return
    entries = value.items() if isinstance(value, Mapping) else (("-", one) for one in value)
    for name, one in entries:
        start = f"{indent}{safe(str(name))}" + (":" if isinstance(value, Mapping) else "")
        inner = one if isinstance(one, Mapping | list) else str(one).splitlines()
        if isinstance(one, Mapping | list) or len(inner) > 1:
            yield start
            yield from record(one, f"{indent}  ")
        else:
            yield f"{start} {safe(str(one))}"


def rows(values: Iterable[Any]) -> list[Sequence[str]]:
    """Returns the head and the rows of a table: a column for each field that any value has."""
    shown = [dict(flat(one)) if isinstance(one, Mapping) else {"value": one} for one in values]
    columns = list(dict.fromkeys(name for one in shown for name in one))
    return [columns, *([one_line(str(each.get(name, ""))) for name in columns] for each in shown)] if shown else []


class Events:
    """Writes the events of a stream as they arrive: the text of an answer piece by piece, any other event as a line."""

    def __init__(self) -> None:
        self._open = False  # the line has an answer's text and no end yet
        self._citations: list[str] = []

    def texts(self, values: Iterable[Any]) -> Iterator[str]:
        """Yields what to write."""
        for value in values:
            yield from self._event(value)
        yield from self._end()

    def _event(self, value: Any) -> Iterator[str]:
        from ...types import ai, chat, completions, conversation, ocr, rag

        event = value.answer if isinstance(value, conversation.ConverseResponse) and value.answer else value
        match event:
            case conversation.AnswerEvent() | rag.AskResponse():
                if event.citation is not None:
                    self._cite(event.citation)
                yield from self._said(event.text or "")
                if event.which("event") in ("finished", "end"):
                    yield from self._end()
            case ai.ChatStreamResponse():
                yield from self._said(event.text)
                yield from (f"\n{safe(one.name)} {safe(one.arguments)}" for one in event.tool_calls)
            case completions.ChatCompletionChunk():
                for choice in event.choices:
                    yield from self._said(choice.delta.content or "")
            case ocr.ProcessPDFStreamResponse():
                yield "".join(f"{line}\n" for line in record(event.text))
            case chat.Message():
                yield _message(event) + "\n"
            case chat.ChatStreamResponse(message=chat.Message() as message):
                yield _message(message) + "\n"
            case _:
                shown = plain(event)
                pairs = flat(shown) if isinstance(shown, Mapping) else [("value", shown)]
                yield " ".join(f"{name}={one_line(str(one))}" for name, one in pairs) + "\n"

    def _said(self, text: str) -> Iterator[str]:
        if text:
            self._open = True
            yield "\n".join(safe(line) for line in text.split("\n"))

    def _cite(self, citation: Any) -> None:
        where = f" {one_line(citation.quote)}" if citation.quote else ""
        self._citations.append(f"[{citation.passage}] {one_line(citation.document)}:{where}")

    def _end(self) -> Iterator[str]:
        if self._open:
            yield "\n"
        yield from (f"{line}\n" for line in dict.fromkeys(self._citations))
        self._open, self._citations = False, []


def _message(message: Any) -> str:
    who = (message.user.display_name or message.user.id) if message.user else ""
    when = f"{message.create_time.astimezone():%H:%M:%S} " if message.create_time else ""
    return f"{when}{one_line(who)}{': ' if who else ''}{one_line(message.content)}"
