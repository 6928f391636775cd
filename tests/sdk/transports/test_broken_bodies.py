"""Streams, downloads and uploads over REST whose connection breaks."""

from __future__ import annotations

import json as js

import pytest

from artificer.errors import (
    APIConnectionError,
    APIError,
)
from tests.sdk.transports.driver import driver
from tests.sdk.transports.rude_server import hang_up, head, partly, rude_server, unavailable, unread, whole

GET, CREATE = "artificer.batch.v1.BatchService/GetJob", "artificer.batch.v1.BatchService/CreateJob"
START = "artificer.batch.v1.BatchService/StartJob"
both = pytest.mark.parametrize("mode", ["sync", "async"])


SLOW = {
    "error": {
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": "behind",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "READER_TOO_SLOW"}],
    }
}
LINES = head(200, content_type="application/x-ndjson", transfer_encoding="chunked")


def chunk(data: bytes) -> bytes:
    """Returns a chunk of a body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


STREAM = "artificer.chat.v1.MessageService/StreamMessages"


@both
def test_a_stream_that_was_cut_is_resumed(mode: str) -> None:
    """The second request asks for what follows the last message; a cut line is dropped."""
    first = partly(LINES + chunk(b'{"id": "1"}\n\n{"id": "2"}\n{"id":'), hang_up)
    rest = whole(200, b'{"id": "3"}\n{"id": "4"}', content_type="application/x-ndjson")
    with rude_server(first, unavailable(), rest) as server, driver(mode, base_url=server.url) as client:
        found = client.collect(lambda one: one.channels.messages.stream("lobby"))
        assert [message.id for message in found] == ["1", "2", "3", "4"]
        assert [request.path.partition("?")[2] for request in server.requests] == ["", "after=2", "after=2"]


@both
def test_a_stream_whose_reader_was_too_slow_goes_on(mode: str) -> None:
    """The server ends it and keeps the messages; the next request asks for what follows."""
    first = whole(200, b'{"id": "1"}\n' + js.dumps(SLOW).encode() + b"\n", content_type="application/x-ndjson")
    rest = whole(200, b'{"id": "2"}\n', content_type="application/x-ndjson")
    with rude_server(first, rest) as server, driver(mode, base_url=server.url) as client:
        found = client.collect(lambda one: one.channels.messages.stream("lobby"))
        assert [message.id for message in found] == ["1", "2"]
        assert [request.path.partition("?")[2] for request in server.requests] == ["", "after=1"]


@both
def test_an_error_ends_a_stream(mode: str) -> None:
    """Its line is raised after the messages before it; a stream with an error that nobody repeats is not resumed."""
    error = b'{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "out", "details": []}}\n'
    body = whole(200, b'{"id": "1"}\n' + error, content_type="application/x-ndjson")
    with rude_server(body) as server, driver(mode, base_url=server.url) as client:
        found: list[str] = []
        with pytest.raises(APIError, match="out") as raised:
            found.extend(message.id for message in client.each(lambda one: one.channels.messages.stream("lobby")))
        assert found == ["1"]
        assert raised.value.code == "PERMISSION_DENIED"
        assert len(server.requests) == 1


@both
def test_a_cut_download_is_an_error(mode: str) -> None:
    """Bytes that may be incomplete never look complete."""
    cut = partly(head(200, content_type="application/pdf", transfer_encoding="chunked") + chunk(b"%PDF"), hang_up)
    with (
        rude_server(cut) as server,
        driver(mode, base_url=server.url) as client,
        pytest.raises(APIConnectionError, match="broke"),
    ):
        client.do(lambda one: one.documents.make_searchable(b"%PDF-1.7").read())


@both
@pytest.mark.parametrize("status", [401, 413])
def test_an_upload_that_is_refused_before_it_was_read(mode: str, status: int) -> None:
    """The exception is the server's answer, not the broken connection."""
    name = {401: "UNAUTHENTICATED", 413: "RESOURCE_EXHAUSTED"}[status]
    body = js.dumps({"error": {"code": status, "status": name, "message": "refused", "details": []}}).encode()
    with rude_server(unread(status, body, content_type="application/json")) as server:
        with driver(mode, base_url=server.url) as client:
            with pytest.raises(APIError, match="refused") as raised:
                client.do(lambda one: one.batch.blobs.upload(b"x" * 4_000_000))
            assert raised.value.code == name
        assert len(server.requests) == 1
