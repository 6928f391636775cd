"""Each kind of error as a status: its code, its details, and the facts that a call adds."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from artificer_services.kit.errors import Conflict, Fault, Invalid, Kind, NotFound, ServiceError, TooSlow, Unavailable
from artificer_services.kit.statuses import Statuses

Info, Retry = error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo


class Closed(ServiceError):
    """A service's own error."""

    kind = Kind.FAILED_PRECONDITION
    reason = "CLOSED"
    precondition = ("STATE", "shop")


def precondition(text: str) -> Message:
    violation = error_details_pb2.PreconditionFailure.Violation(type="STATE", subject="shop", description=text)
    return error_details_pb2.PreconditionFailure(violations=[violation])


def bad(field: str, text: str) -> Message:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
    return error_details_pb2.BadRequest(field_violations=[violation])


def info(reason: str, **metadata: str) -> Message:
    return Info(reason=reason, domain="shop.example", metadata=metadata)


@pytest.mark.parametrize(
    ("error", "facts", "code", "message", "details"),
    [
        (Invalid(Fault("a", "is wrong")), {}, "INVALID_ARGUMENT", "a: is wrong", [bad("a", "is wrong")]),
        (NotFound("gone"), {}, "NOT_FOUND", "gone", []),
        (NotFound("gone"), {"position": "2"}, "NOT_FOUND", "gone", [info("REFUSED", position="2")]),
        (Conflict("used", id="7"), {}, "ALREADY_EXISTS", "used", [info("REQUEST_ID_IN_USE", id="7")]),
        (
            Conflict("used", id="7"),
            {"position": "2"},
            "ALREADY_EXISTS",
            "used",
            [info("REQUEST_ID_IN_USE", id="7", position="2")],
        ),
        (TooSlow("behind", "41"), {}, "RESOURCE_EXHAUSTED", "behind", [info("READER_TOO_SLOW", after="41")]),
        (Closed("shut"), {}, "FAILED_PRECONDITION", "shut", [precondition("shut"), info("CLOSED")]),
    ],
)
def test_an_error_has_the_code_and_the_details_of_its_kind(
    error: ServiceError, facts: dict[str, str], code: str, message: str, details: list[Any]
) -> None:
    status = Statuses("shop.example", refused="REFUSED").status_of(error, **facts)
    assert (status.code, status.message) == (grpc.StatusCode[code].value[0], message)
    assert [one.TypeName() for one in status.details] == [detail.DESCRIPTOR.full_name for detail in details]
    for packed, expected in zip(status.details, details, strict=True):
        found = type(expected)()
        packed.Unpack(found)
        assert found == expected


def test_a_retry_delay_has_milliseconds() -> None:
    status = Statuses("shop.example").status_of(Unavailable("away", 1.5), "item 3: ")
    retry = Retry()
    assert status.details[0].Unpack(retry)
    assert (status.message, retry.retry_delay.ToMilliseconds()) == ("item 3: away", 1500)


def test_every_kind_is_a_code_of_grpc() -> None:
    assert {kind.name for kind in Kind} <= {code.name for code in grpc.StatusCode}
