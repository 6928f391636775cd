"""Exceptions for answers of any form: of the gateway, of proxies, and of servers of another kind."""

from __future__ import annotations

import json as js
import re
from typing import Any

import pytest

from artificer import Artificer, AsyncArtificer
from artificer.errors import (
    APIError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnknownError,
)
from tests.sdk.transports.driver import driver
from tests.sdk.transports.rude_server import json, rude_server, whole

GET, CREATE = "artificer.batch.v1.BatchService/GetJob", "artificer.batch.v1.BatchService/CreateJob"
START = "artificer.batch.v1.BatchService/StartJob"
both = pytest.mark.parametrize("mode", ["sync", "async"])


def details(kind: object, violations: object) -> bytes:
    """Returns an error whose detail may be of any form."""
    error = {"code": 400, "status": "INVALID_ARGUMENT", "message": "wrong"}
    return js.dumps({"error": {**error, "details": [{"@type": kind, "fieldViolations": violations}]}}).encode()


ERRORS: list[tuple[Any, type[APIError], str]] = [
    (whole(404, b"<html>no</html>", content_type="text/html"), NotFoundError, "HTTP 404"),
    (whole(401, b"who are you", content_type="text/plain"), UnauthenticatedError, "HTTP 401: who are you"),
    (whole(418, b"{}"), InvalidArgumentError, "HTTP 418"),
    (whole(599, b"\xff\xfe"), UnknownError, "HTTP 599"),
    (whole(500, b'{"error": "text"}'), APIError, "HTTP 500"),
    (whole(302, location="https://login.example"), UnknownError, "redirects to 'https://login.example'"),
    (json(400, b'{"code": 5, "message": "bare"}'), NotFoundError, "bare"),
    # Other servers have codes and names of their own.
    (json(429, b'{"code": "rate_limited", "message": "slow down"}'), ResourceExhaustedError, "slow down"),
    (json(503, b'{"status": "fail", "message": "away"}'), UnavailableError, "away"),
    (json(401, b'{"error": {"code": "invalid_api_key", "message": "who"}}'), UnauthenticatedError, "who"),
    (json(404, b'{"error": {"code": 404, "status": "NEWER", "message": null}}'), NotFoundError, "HTTP 404"),
    (json(400, details(5, None)), InvalidArgumentError, "wrong"),
    (json(400, details("google.rpc.BadRequest", None)), InvalidArgumentError, "wrong"),
    (json(400, details("google.rpc.BadRequest", [1, {"field": 2}])), InvalidArgumentError, "wrong .2: ."),
    (whole(200, b"<html>", content_type="text/html"), UnknownError, "is base_url a gateway's"),
    (json(200, b'{"id": 7}'), UnknownError, "is not a Job"),
    (json(200, b"[]"), UnknownError, "is not a Job"),
    (
        json(
            429,
            b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down", "details": [7, null]}}',
        ),
        ResourceExhaustedError,
        "slow down",
    ),
]


@both
@pytest.mark.parametrize(("answer", "kind", "text"), ERRORS)
def test_errors_that_are_not_the_gateways(mode: str, answer: Any, kind: type[APIError], text: str) -> None:
    """Pages of proxies and answers of other servers are exceptions too."""
    with (
        rude_server(answer) as server,
        driver(mode, base_url=server.url, max_retries=0) as client,
        pytest.raises(kind) as raised,
    ):
        client.do(lambda one: one.call(GET, {"job_id": "j"}))
    assert re.search(text, str(raised.value))
    assert raised.value.reason == ""


@both
def test_the_request_id_is_known(mode: str) -> None:
    """In exceptions, in the metadata of replies, and in records, of success too."""
    records: list[Any] = []
    refused = json(404, b'{"error": {"code": 404, "status": "NOT_FOUND", "message": "no"}}', x_request_id="r1")
    with (
        rude_server(refused, json(200, b"{}", x_request_id="r2")) as server,
        driver(mode, base_url=server.url, on_call=records.append) as client,
    ):
        with pytest.raises(NotFoundError) as raised:
            client.do(lambda one: one.call(GET, {"job_id": "j"}))
        reply = client.do(lambda one: one.call(GET, {"job_id": "j"}))
    assert raised.value.request_id == "r1"
    assert "r1" in str(raised.value)
    assert reply.metadata["x-request-id"] == "r2"
    assert [one.request_id for one in records] == ["r1", "r2"]


@both
def test_a_line_of_a_stream_that_is_nested_deeply(mode: str) -> None:
    """It is no message."""
    line = whole(200, b'{"error":' + 100_000 * b"[", content_type="application/x-ndjson")
    with (
        rude_server(line) as server,
        driver(mode, base_url=server.url) as client,
        pytest.raises(UnknownError, match="is not a Message"),
    ):
        client.collect(lambda one: one.channels.messages.stream("lobby"))


@both
@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"<html>", UnknownError, "is not a ChatCompletion"),
        (b"", UnknownError, "is not a ChatCompletion"),
        (b'{"id": "c"}', UnknownError, "is not a ChatCompletion"),
    ],
)
def test_a_completion_of_another_form(mode: str, body: bytes, kind: type[APIError], text: str) -> None:
    """The page of a proxy is an APIError, as with every other method."""
    with (
        rude_server(whole(200, body, content_type="text/html")) as server,
        driver(mode, base_url=server.url) as client,
        pytest.raises(kind, match=text),
    ):
        client.do(lambda one: one.chat.completions.create(model="m", messages=[]))


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"<html>", UnknownError, "ended without its last event"),
        (b"data: hello\n\n", UnknownError, "is not a ChatCompletionChunk"),
        (b'data: {"error": 5}\n\n', InternalError, "INTERNAL: 5"),
        (b'data: {"error"\n\n', InternalError, "not in OpenAI's form"),
        (b'data: {"error": {"type": [], "message": null}}\n\n', InternalError, "not in OpenAI's form"),
    ],
)
async def test_events_of_another_form(body: bytes, kind: type[APIError], text: str) -> None:
    """An answer that is no stream of OpenAI's events does not look like an empty one."""
    with rude_server(whole(200, body, content_type="text/event-stream")) as server:
        with (
            Artificer(base_url=server.url) as client,
            client.chat.completions.create(model="m", messages=[], stream=True) as chunks,
            pytest.raises(kind, match=text),
        ):
            list(chunks)
        async with (
            AsyncArtificer(base_url=server.url) as other,
            await other.chat.completions.create(model="m", messages=[], stream=True) as chunks_too,
        ):
            with pytest.raises(kind, match=text):
                [chunk async for chunk in chunks_too]
