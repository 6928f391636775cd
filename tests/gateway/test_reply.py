"""TRANSCODING.md sections 3 and 4 as the wire has them: JSON options, media types, metadata, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from diptych.codec import Codec
from diptych.reply import ErrorReplier, http_code, media_type, metadata_headers, no_route, wrong_method
from diptych.settings import DialectName
from diptych.status import Code, Status, Violation, invalid, pack
from tests.conftest import Serve

CODEC = Codec([])


async def test_responses_follow_the_json_mapping(serve: Serve) -> None:
    async with serve() as served:
        body = (await served.http.get("/v1/dishes/1")).json()
        assert body["priceCents"] == "0"  # int64 is a string, and a zero without presence is printed
        assert body["course"] == "COURSE_UNSPECIFIED"
        assert body["tags"] == []
        assert "rating" not in body  # presence
        assert "createTime" not in body


async def test_defaults_can_be_omitted(serve: Serve) -> None:
    async with serve(emit_defaults=False) as served:
        assert (await served.http.get("/v1/dishes/1")).json() == {"id": "1", "title": "Soup"}


async def test_names_and_enums_by_setting(serve: Serve) -> None:
    async with serve(preserve_names=True, enums_as_ints=True) as served:
        body = (await served.http.get("/v1/echo?course=COURSE_MAIN&int32Value=1")).json()
        assert (body["course"], body["int32_value"]) == (2, 1)
        assert body["renamed"] == ""
        stream = await served.http.get("/v1/ticks?count=1")
        assert stream.json() == [{"number": "1", "text": "tick"}]


async def test_enum_numbers_by_parameter(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.http.get("/v1/echo?courses=1&$alt=json;enum-encoding=int")
        assert answer.json()["courses"] == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text/csv; charset=utf-8", b"text/csv; charset=utf-8"),
        ("", b"application/octet-stream"),
        ("text/plain\r\nx-evil: 1", b"application/octet-stream"),
        ("\x7f", b"application/octet-stream"),
    ],
)
def test_an_invalid_media_type_cannot_break_the_response(text: str, expected: bytes) -> None:
    assert media_type(text) == expected


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ([], 200),
        ([("x-http-code", "201")], 201),
        ([("x-http-code", b"304")], 304),
        ([("x-http-code", "404")], 200),  # a success remains a success
        ([("x-http-code", "099")], 200),
        ([("x-http-code", "abc")], 200),
        ([("x-http-code", "")], 200),
    ],
)
def test_a_servicer_chooses_the_status_of_a_success(pairs: list[tuple[str, str | bytes]], status: int) -> None:
    assert http_code(pairs, []) == status
    assert http_code([], pairs) == status


def test_metadata_that_would_break_the_response_is_dropped() -> None:
    pairs = [("content-length", "1"), ("transfer-encoding", "x"), ("x-http-code", "201"), ("grpc-a", "b"), ("x-a", "b")]
    assert metadata_headers(pairs, [("x-b-bin", b"\x00")]) == [(b"x-a", b"b"), (b"grpc-trailer-x-b-bin", b"AA")]


def replied(status: Status, dialect: DialectName = "google") -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of an error."""
    reply = ErrorReplier(CODEC, dialect).reply(status)
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    assert int(headers["content-length"]) == len(reply.body)
    return reply.status, headers, json.loads(reply.body)


@pytest.mark.parametrize(("seconds", "nanos", "header"), [(2, 0, "2"), (2, 1, "3"), (0, 0, "0"), (-5, 0, "0")])
def test_retry_info_is_retry_after(seconds: int, nanos: int, header: str) -> None:
    info = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds, nanos=nanos))
    status = Status(code=Code.RESOURCE_EXHAUSTED, details=(pack(info),))
    assert replied(status)[1]["retry-after"] == header
    assert replied(status.with_headers(("Retry-After", "9")))[1]["retry-after"] == "9"


def test_a_401_names_a_scheme() -> None:
    assert replied(Status(code=Code.UNAUTHENTICATED, message="no"))[1]["www-authenticate"] == "Bearer"
    named = Status(code=Code.UNAUTHENTICATED).with_headers(("WWW-Authenticate", 'Basic realm="x"'))
    assert replied(named)[1]["www-authenticate"] == 'Basic realm="x"'
    assert "www-authenticate" not in replied(Status(code=Code.PERMISSION_DENIED))[1]


def test_the_same_error_in_each_dialect() -> None:
    status = invalid_status()
    detail = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": "a.b", "description": "wrong"}],
    }
    assert replied(status) == (
        400,
        {"content-type": "application/json", "content-length": replied(status)[1]["content-length"]},
        {"error": {"code": 400, "message": "a.b: wrong", "status": "INVALID_ARGUMENT", "details": [detail]}},
    )
    assert replied(status, "status")[2] == {"code": 3, "message": "a.b: wrong", "details": [detail]}
    assert replied(status, "problem")[2] == {
        "type": "about:blank",
        "title": "INVALID_ARGUMENT",
        "status": 400,
        "detail": "a.b: wrong",
        "code": 3,
        "details": [detail],
    }
    dialects: tuple[DialectName, ...] = ("google", "status", "problem")
    for dialect in dialects:  # in a stream, all of them distinguish it from a message
        assert list(json.loads(ErrorReplier(CODEC, dialect).element(status))) == ["error"]


def invalid_status() -> Status:
    """A client's mistake."""
    return invalid(Violation("a.b", "wrong")).status


def test_unmatched_requests() -> None:
    assert no_route("/x").http_status == 404
    missed = wrong_method("PUT", "/x", ["GET", "HEAD"])
    assert (missed.http_status, missed.headers) == (405, (("allow", "GET, HEAD"),))
