"""When the REST transport repeats a call, and when it must not."""

from __future__ import annotations

import json as js
import socket
from functools import partial
from typing import Any

import pytest

from artificer.errors import (
    APIConnectionError,
    DeadlineExceededError,
    InvalidRequestError,
    UnavailableError,
)
from tests.sdk.transports.driver import driver
from tests.sdk.transports.rude_server import BUSY, hang_up, head, json, partly, rude_server, stall, unavailable, whole

GET, CREATE = "artificer.batch.v1.BatchService/GetJob", "artificer.batch.v1.BatchService/CreateJob"
START = "artificer.batch.v1.BatchService/StartJob"
JOB = json(200, b'{"id": "j"}')
both = pytest.mark.parametrize("mode", ["sync", "async"])


@both
@pytest.mark.parametrize(
    "fault", [unavailable(), hang_up, whole(502, b"<html>"), partly(head(200, content_length="9") + b"{", hang_up)]
)
def test_safe_calls_are_repeated(mode: str, fault: Any) -> None:
    """A call that reads is sent again, whatever became of the first attempt."""
    with rude_server(fault, JOB) as server, driver(mode, base_url=server.url) as client:
        assert client.do(lambda one: one.call(GET, {"job_id": "j"})).value.id == "j"
        assert len(server.requests) == 2


@both
@pytest.mark.parametrize("fault", [unavailable(), hang_up])
def test_unsafe_calls_are_sent_once(mode: str, fault: Any) -> None:
    """A call that changes something, without a key, is not sent again."""
    with rude_server(fault, JOB) as server, driver(mode, base_url=server.url) as client:
        with pytest.raises(UnavailableError):
            client.do(lambda one: one.call(START, {"job_id": "j"}))
        assert len(server.requests) == 1


@both
def test_an_idempotency_key_makes_a_create_repeatable(mode: str) -> None:
    """Both attempts carry the same key; without one there is no second attempt."""
    with rude_server(hang_up, JOB) as server, driver(mode, base_url=server.url) as client:
        client.do(lambda one: one.call(CREATE, {}))
        first, second = (js.loads(request.body) for request in server.requests)
        assert first["requestId"] == second["requestId"] != ""
    with rude_server(hang_up, JOB) as server, driver(mode, base_url=server.url) as client:
        with pytest.raises(APIConnectionError) as raised:
            client.do(lambda one: one.call(CREATE, {}, idempotency_key=""))
        assert raised.value.sent
        assert len(server.requests) == 1


@both
def test_a_key_that_the_server_does_not_know_is_refused(mode: str) -> None:
    """Who gives one relies on it. A call that only reads needs none."""
    with rude_server(JOB) as server, driver(mode, base_url=server.url) as client:
        for call in (
            lambda one: one.call(START, {"job_id": "j"}, idempotency_key="k"),
            lambda one: one.batch.items.upload("j", ["text"], first_index=0, idempotency_key="k"),
            lambda one: one.channels.messages.send("lobby", [{"content": "hello"}], idempotency_key="k"),
        ):
            with pytest.raises(InvalidRequestError, match=r"idempotency_key: .* has none"):
                client.do(call)
        assert not server.requests
        assert client.do(lambda one: one.call(GET, {"job_id": "j"}, idempotency_key="k")).value.id == "j"


@both
def test_an_upload_of_items_has_the_options_and_the_attempts_of_one_call(mode: str) -> None:
    with rude_server(JOB, hang_up) as server, driver(mode, base_url=server.url) as client:
        with pytest.raises(APIConnectionError):
            client.do(lambda one: one.batch.items.upload("j", ["text"], headers={"x-tenant": "red"}, max_retries=1))
        assert [request.headers["x-tenant"] for request in server.requests] == ["red"] * 3  # the job, and two uploads
    records: list[Any] = []
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # without listen(), connections are refused
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with driver(mode, base_url=address, on_call=records.append) as client, pytest.raises(APIConnectionError):
            client.do(lambda one: one.batch.items.upload("j", ["text"], first_index=0))
    assert len(records) == 3


@both
@pytest.mark.parametrize(("options", "attempts"), [({}, 3), ({"max_retries": 0}, 1)])
def test_attempts_are_limited(mode: str, options: dict[str, Any], attempts: int) -> None:
    """Three attempts by default; `max_retries` of a call or of the client says otherwise."""
    with rude_server(unavailable()) as server, driver(mode, base_url=server.url) as client:
        with pytest.raises(UnavailableError, match="busy"):
            client.do(lambda one: one.call(GET, {"job_id": "j"}, **options))
        assert len(server.requests) == attempts


@both
def test_retry_after_is_honoured(mode: str) -> None:
    """An answer that asks for more time than the call has ends it; a wait that fits is made."""
    with rude_server(unavailable(retry_after="3000")) as server, driver(mode, base_url=server.url) as client:
        with pytest.raises(UnavailableError) as raised:
            client.do(lambda one: one.call(GET, {"job_id": "j"}))
        assert raised.value.retry_after == 3000
        assert len(server.requests) == 1
    limited = {"error": {**BUSY, "code": 429, "status": "RESOURCE_EXHAUSTED"}}
    once = json(429, js.dumps(limited).encode(), retry_after="0")
    with rude_server(once, JOB) as server, driver(mode, base_url=server.url) as client:
        assert client.do(lambda one: one.call(GET, {"job_id": "j"})).value.id == "j"


@both
@pytest.mark.parametrize("delay", ["-5s", "nan", "soon", None])
def test_a_pause_that_nobody_can_make(mode: str, delay: Any) -> None:
    """A server's RetryInfo of another form counts as none."""
    asked = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    busy = json(503, js.dumps({"error": {**BUSY, "details": [asked]}}).encode())
    with rude_server(busy, JOB) as server, driver(mode, base_url=server.url) as client:
        assert client.do(lambda one: one.call(GET, {"job_id": "j"})).value.id == "j"


@both
def test_a_refused_connection_is_known_to_be_unsent(mode: str) -> None:
    """A call that changes something may be repeated then, and the exception says so."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # without listen(), connections are refused
        records: list[Any] = []
        with (
            driver(mode, base_url=f"http://127.0.0.1:{reserved.getsockname()[1]}", on_call=records.append) as client,
            pytest.raises(APIConnectionError, match="cannot be reached") as raised,
        ):
            client.do(lambda one: one.call(START, {"job_id": "j"}))
    assert not raised.value.sent
    assert [(one.attempt, one.code) for one in records] == [(1, "UNAVAILABLE"), (2, "UNAVAILABLE"), (3, "UNAVAILABLE")]


@both
def test_a_kept_connection_that_the_server_closed(mode: str) -> None:
    """The next call finds it closed and uses another one."""
    with rude_server(json(200, b'{"id": "j"}', keep=False), JOB) as server, driver(mode, base_url=server.url) as client:
        for _ in range(2):
            assert client.do(lambda one: one.call(GET, {"job_id": "j"})).value.id == "j"
        assert [request.connection for request in server.requests] == [0, 1]


@both
def test_connections_are_kept(mode: str) -> None:
    """Calls after one another share a connection."""
    with rude_server(JOB) as server, driver(mode, base_url=server.url) as client:
        for _ in range(3):
            client.do(lambda one: one.call(GET, {"job_id": "j"}))
        assert {request.connection for request in server.requests} == {0}


def get_job(client: Any, *, timeout: float) -> Any:
    return client.call(GET, {"job_id": "j"}, timeout=timeout)


@both
@pytest.mark.parametrize("fault", [stall, partly(head(200, content_length="9") + b"{", stall)])
def test_a_deadline_ends_a_stalled_call(mode: str, fault: Any) -> None:
    """The server is told of the deadline, and the call ends without it."""
    for seconds in (0.3, 3, 30):
        with (
            rude_server(fault) as server,
            driver(mode, base_url=server.url) as client,
            pytest.raises(DeadlineExceededError),
        ):
            client.do(partial(get_job, timeout=seconds))
        if server.requests:
            break  # else the time was over before the request was sent
    [request] = server.requests
    assert 0 < int(request.headers["grpc-timeout"].removesuffix("m")) <= seconds * 1000


@both
def test_a_deadline_that_has_passed(mode: str) -> None:
    """Nothing is sent."""
    with rude_server(JOB) as server, driver(mode, base_url=server.url) as client:
        with pytest.raises(DeadlineExceededError):
            client.do(lambda one: one.call(GET, {"job_id": "j"}, timeout=0))
        assert not server.requests
