"""The media types of streams over plain HTTP, one table: what is written, read, documented and named in refusals.

It knows no bytes: `framing` writes and reads the forms that this names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

ARRAY, NDJSON, SSE = "application/json", "application/x-ndjson", "text/event-stream"


def _event(item: Schema) -> Schema:
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": item}
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "id": {"type": "string"},
            "event": {"type": "string", "enum": ["message", "error", "end"]},
            "retry": {"type": "integer"},
            "data": data,
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMedia:
    """One media type. In the texts, `{name}` stands for the message's name."""

    aliases: tuple[str, ...] = ()
    request: str | None = None
    """Its description in OpenAPI as a request body; None if clients cannot send it."""
    response: str = ""
    """Its description in OpenAPI as a response."""
    item: Callable[[Schema], Schema] | None = None
    """The schema of one item, from the message's; None if the whole is a JSON array of messages."""


STREAMS: Mapping[str, StreamMedia] = {
    ARRAY: StreamMedia(request=""),
    NDJSON: StreamMedia(
        aliases=("application/ndjson", "application/jsonl"),
        request="One {name} a line; each is handed on before the next is read.",
        response='One {name} a line, an empty line while idle; a last line `{{"error": …}}` where the stream fails.',
        item=lambda message: message,
    ),
    SSE: StreamMedia(
        response="Server-Sent Events: `event: message` with one {name} as its data and a number as its id,"
        " `event: error` with the error body where the stream fails, `event: end` where it ends well.",
        item=_event,
    ),
}

ALIASES: Mapping[str, str] = {alias: media for media, row in STREAMS.items() for alias in row.aliases}
RESPONSES = ", ".join(STREAMS)
"""The media types that a client may accept, as a list for headers and messages."""
REQUESTS = ", ".join(media for media, row in STREAMS.items() if row.request is not None)
"""The media types that a client may send, as a list for headers and messages."""


def contents(message: Schema, name: str, *, sent: bool) -> Schema:
    """Returns OpenAPI's content of a stream by media type; `sent` is True for a request body."""
    content: Schema = {}
    for media, row in STREAMS.items():
        text = row.request if sent else row.response
        if text is None:
            continue
        if row.item is None:
            content[media] = {"schema": {"type": "array", "items": message}}
        else:
            about = text.format(name=name)
            content[media] = {"schema": {"type": "string", "description": about}, "x-itemSchema": row.item(message)}
    return content
