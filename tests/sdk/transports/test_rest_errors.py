"""Exceptions for answers of any form: of the gateway, of proxies, and of servers of another kind."""

from __future__ import annotations

from typing import Any

import pytest

from artificer.errors import (
    APIError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnknownError,
)
from tests.sdk.transports.driver import driver
from tests.sdk.transports.rude_server import json, rude_server, whole

GET, CREATE = "artificer.batch.v1.BatchService/GetJob", "artificer.batch.v1.BatchService/CreateJob"
START = "artificer.batch.v1.BatchService/StartJob"
both = pytest.mark.parametrize("mode", ["sync", "async"])


ERRORS: list[tuple[Any, type[APIError], str]] = [
    (whole(404, b"<html>no</html>", content_type="text/html"), NotFoundError, "HTTP 404"),
    (whole(401, b"who are you", content_type="text/plain"), UnauthenticatedError, "HTTP 401: who are you"),
    (whole(418, b"{}"), InvalidArgumentError, "HTTP 418"),
    (whole(599, b"\xff\xfe"), UnknownError, "HTTP 599"),
    (whole(500, b'{"error": "text"}'), APIError, "HTTP 500"),
    (whole(302, location="https://login.example"), UnknownError, "redirects to 'https://login.example'"),
    (json(400, b'{"code": 5, "message": "bare"}'), NotFoundError, "bare"),
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
    assert text in str(raised.value)


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
