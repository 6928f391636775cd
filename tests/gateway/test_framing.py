"""The three stream encodings and the choice among them, as values."""

from __future__ import annotations

import json

import pytest

from diptych.framing import choose
from diptych.media import ARRAY, NDJSON, SSE
from diptych.status import StatusError


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, ARRAY),
        (b"", ARRAY),
        (b"*/*", ARRAY),
        (b"application/*", ARRAY),
        (b"application/json", ARRAY),
        (b"APPLICATION/JSON; charset=utf-8", ARRAY),
        (b"application/x-ndjson", NDJSON),
        (b"application/ndjson", NDJSON),
        (b"application/jsonl", NDJSON),
        (b"text/event-stream", SSE),
        (b"text/*", SSE),
        (b"text/html, application/xhtml+xml, */*;q=0.8", ARRAY),  # a browser's address bar
        (b"text/event-stream, */*", SSE),  # the named before the wildcard at equal quality
        (b"*/*, application/x-ndjson", NDJSON),
        (b"application/json;q=0.5, text/event-stream;q=0.9", SSE),
        (b"application/json;q=0, application/x-ndjson", NDJSON),
        (b"application/x-ndjson, text/event-stream", NDJSON),  # the first at equal quality
        (b"application/json;q=nonsense, text/event-stream;q=0.1", SSE),
    ],
    ids=repr,
)
def test_the_client_chooses(accept: bytes | None, media: str) -> None:
    assert choose(accept).media == media


@pytest.mark.parametrize("accept", [b"image/png", b"application/json;q=0", b"text/html", b"*/*;q=0"])
def test_unsupported_accept_headers_are_406(accept: bytes) -> None:
    with pytest.raises(StatusError) as refused:
        choose(accept)
    assert refused.value.status.http_status == 406


ELEMENTS = [b'{"n":1}', b'{"n":2}', b'{"n":3}']


def test_an_array_is_json_only_when_complete() -> None:
    framing = choose(b"application/json")
    pieces = [framing.messages(ELEMENTS[:1]), framing.messages(ELEMENTS[1:])]
    assert pieces[0] == b'[{"n":1}'  # nothing is buffered
    assert json.loads(b"".join(pieces) + framing.end()) == [{"n": 1}, {"n": 2}, {"n": 3}]
    failed = b"".join(pieces) + framing.failure(b'{"error":{}}')
    assert failed.endswith(b',\n{"error":{}}')
    with pytest.raises(json.JSONDecodeError):
        json.loads(failed)
    assert choose(None).end() == b"[]"


def test_ndjson_has_one_message_per_line() -> None:
    framing = choose(b"application/x-ndjson")
    text = framing.messages(ELEMENTS[:2]) + framing.messages(ELEMENTS[2:]) + framing.end()
    assert [json.loads(line) for line in text.splitlines()] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert text.endswith(b"\n")
    assert framing.failure(b'{"error":{}}') == b'{"error":{}}\n'


def test_events_are_numbered_and_end_by_name() -> None:
    framing = choose(b"text/event-stream")
    assert framing.messages(ELEMENTS[:2]) == (
        b'id: 1\nevent: message\ndata: {"n":1}\n\nid: 2\nevent: message\ndata: {"n":2}\n\n'
    )
    assert framing.messages(ELEMENTS[2:]).startswith(b"id: 3\n")
    assert framing.end() == b"event: end\ndata: {}\n\n"
    assert framing.failure(b'{"error":{}}') == b'event: error\ndata: {"error":{}}\n\n'
    assert framing.heartbeat.startswith(b":")
    assert framing.heartbeat.endswith(b"\n\n")
