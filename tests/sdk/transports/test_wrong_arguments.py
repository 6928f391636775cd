"""Values that no request can have are refused alike over both transports, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from artificer import Artificer, AsyncArtificer
from artificer.errors import APIConnectionError, InvalidRequestError
from artificer.types.batch import Phase
from artificer.types.image import Crop, ImageStep, Resize

from .driver import Driver, driver

LONE = "half \ud800"  # of a surrogate pair, which UTF-8 does not have
BOTH = {"resize": {"width": 3}, "crop": {}}
Call = Callable[[Any], Any]


@pytest.fixture(params=["rest", "grpc"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def nowhere(transport: str, request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A client whose server does not exist: what is sent fails with APIConnectionError."""
    address = {"rest": {"base_url": "http://127.0.0.1:1"}, "grpc": {"target": "127.0.0.1:1"}}[transport]
    with driver(request.param, transport=transport, max_retries=0, **address) as made:
        yield made


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (
            lambda client: client.batch.list(status=["doen"]).page(),
            "status[0]: 'doen' is no JobStatus: expected one of",
        ),
        (
            lambda client: client.images.process(b"x", format="gief"),
            "format: 'gief' is no ImageFormat: expected one of",
        ),
        (
            lambda client: client.batch.list(status=[2**31]).page(),
            "status[0]: 2147483648 is out of the range of an enum",
        ),
        (lambda client: client.batch.list(page_size=2**31).page(), "page_size: 2147483648 is out of range"),
        (
            lambda client: client.batch.create("job", [], options={"concurrency": 2**40}),
            "options.concurrency: 1099511627776 is out of range",
        ),
        (lambda client: client.batch.list(page_size="x").page(), "page_size: Input should be a valid integer"),
        (lambda client: client.batch.get(5), "job_id: Input should be a valid string"),
        (lambda client: client.batch.get(LONE), "job_id: 'half \\ud800' is not UTF-8"),
        (
            lambda client: client.batch.create("job", [Phase(task_type=LONE)]),
            "phases[0].task_type: 'half \\ud800' is not UTF-8",
        ),
        (
            lambda client: client.images.process(b"x", steps=[BOTH]),
            "steps[0].crop: only one of 'resize' and 'crop' may",
        ),
        (
            lambda client: client.images.process(b"x", steps=[ImageStep(resize=Resize(), crop=Crop())]),
            "steps[0].crop: only one of 'resize' and 'crop' may be set",
        ),
        (lambda client: client.batch.items.upload(5, ["text"]), "job_id: Input should be a valid string"),
    ],
)
def test_a_value_that_no_request_can_have(nowhere: Driver, call: Call, fault: str) -> None:
    with pytest.raises(InvalidRequestError) as failed:
        nowhere.do(call)
    assert str(failed.value).startswith(fault)
    assert failed.value.field_violations[0].field == fault.partition(":")[0]


def test_a_stream_with_a_wrong_request(nowhere: Driver) -> None:
    with pytest.raises(InvalidRequestError, match=r"messages\[0\]\.role: 'boss' is no ChatRole"):
        nowhere.collect(lambda client: client.chat.stream([{"role": "boss", "content": "x"}]))


def test_numbers_of_unknown_enum_values_are_sent(nowhere: Driver) -> None:
    with pytest.raises(APIConnectionError):
        nowhere.do(lambda client: client.batch.list(status=[99]).page())


def test_a_header_with_a_space_at_its_end(nowhere: Driver) -> None:
    """HTTP cannot carry it. The error has no value, which may be a secret."""
    with pytest.raises(ValueError, match="header 'x-key' has a space at an end of its value") as failed:
        nowhere.do(lambda client: client.batch.get("j", headers={"x-key": "s3cret "}))
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("kind", [Artificer, AsyncArtificer])
def test_the_address_of_the_other_transport(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go unused, and the call to another server; the environment may have both."""
    with pytest.raises(ValueError, match="give the gateway's gRPC address as target"):
        kind(transport="grpc", base_url="http://127.0.0.1:1")
    with pytest.raises(ValueError, match="give base_url, or set transport"):
        kind(target="127.0.0.1:1")
    monkeypatch.setenv("ARTIFICER_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ARTIFICER_TARGET", "127.0.0.1:1")
    for options in ({}, {"transport": "grpc"}, {"base_url": "http://127.0.0.1:2", "target": "127.0.0.1:2"}):
        kind(**options)
