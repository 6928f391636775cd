"""The one table between codes and HTTP, and the one error value."""

from __future__ import annotations

import dataclasses

import pytest
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from grpc import StatusCode

from diptych.status import (
    CODE_BY_NUMBER,
    CODE_OF_HTTP,
    HTTP_STATUS,
    Code,
    Status,
    StatusError,
    Violation,
    error,
    invalid,
)

# google/rpc/code.proto, "HTTP Mapping", read by hand.
TABLE = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}


@pytest.mark.parametrize(("name", "http"), TABLE.items())
def test_every_code_has_its_http_status(name: str, http: int) -> None:
    status = Status(code=StatusCode[name])
    assert status.http_status == HTTP_STATUS[StatusCode[name]] == http
    assert status.number == code_pb2.Code.Value(name)
    assert CODE_BY_NUMBER[status.number] is StatusCode[name]


def test_the_table_is_complete() -> None:
    assert TABLE.keys() == {code.name for code in Code} == set(code_pb2.Code.keys())
    assert HTTP_STATUS.keys() == set(Code) == set(CODE_BY_NUMBER.values())


@pytest.mark.parametrize(("http", "code"), CODE_OF_HTTP.items())
def test_an_http_error_has_a_code_of_the_same_class(http: int, code: Code) -> None:
    # UNIMPLEMENTED is 501 by the table, and gRPC's own code for an unknown method.
    assert HTTP_STATUS[code] // 100 == http // 100 or (http, code) in {
        (405, Code.UNIMPLEMENTED),
        (408, Code.DEADLINE_EXCEEDED),
    }


def test_an_explicit_http_status_overrides_the_table() -> None:
    assert Status(code=Code.INVALID_ARGUMENT, http=415).http_status == 415


def test_headers_are_added_to_a_copy() -> None:
    status = Status(code=Code.UNAVAILABLE, headers=(("a", "1"),))
    assert status.with_headers(("b", "2")).headers == (("a", "1"), ("b", "2"))
    assert status.headers == (("a", "1"),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        status.message = "x"  # type: ignore[misc]


def test_details_are_packed() -> None:
    raised = error(Code.UNAVAILABLE, "later", details=[RetryInfo()], headers=(("retry-after", "1"),))
    assert isinstance(raised, StatusError)
    assert raised.status.details[0].type_url == "type.googleapis.com/google.rpc.RetryInfo"
    assert raised.status.headers == (("retry-after", "1"),)
    assert str(raised) == "UNAVAILABLE: later"


def test_an_invalid_request_names_each_field_in_text_and_details() -> None:
    status = invalid(Violation("a.b", "is wrong"), Violation("", "no JSON"), http=413).status
    assert (status.code, status.http_status) == (Code.INVALID_ARGUMENT, 413)
    assert status.message == "a.b: is wrong; no JSON"
    bad = BadRequest()
    assert status.details[0].Unpack(bad)
    assert [(one.field, one.description) for one in bad.field_violations] == [("a.b", "is wrong"), ("", "no JSON")]
