"""Which failures of Connect's suite run again, and what their further runs mean."""

from __future__ import annotations

import pytest

from . import races

CASE = (
    "Timeouts/HTTPVersion:{http}/Protocol:PROTOCOL_{protocol}/Codec:CODEC_JSON/Compression:COMPRESSION_IDENTITY/"
    "TLS:false/{name}"
)
UNARY = CASE.format(http=2, protocol="CONNECT", name="unary")
CUT = "connect error JSON: unexpected end of JSON input"


def passes(case: str) -> None:
    """A case that passes."""


def test_a_race_of_the_client_is_reported_and_no_failure() -> None:
    ran: list[str] = []
    told: list[str] = []
    assert races.settled({UNARY: f"{CUT}\n"}, ran.append, told.append) == {}
    assert ran == [UNARY] * races.RUNS
    assert told == [f"{UNARY} failed by its client's deadline; run again alone, it failed 0 of {races.RUNS} times"]


def test_a_failure_that_repeats_once_is_a_failure() -> None:
    later = iter([None, None, CUT, None, None])
    told: list[str] = []
    failed = races.settled({UNARY: CUT}, lambda _: next(later), told.append)
    assert failed == {UNARY: f"{CUT}\nrun again alone: {CUT}"}
    assert len(told) == 1


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (CASE.format(http=1, protocol="CONNECT", name="unary"), CUT),  # one piece is read to its end
        (CASE.format(http=2, protocol="CONNECT", name="server-stream"), CUT),
        (CASE.format(http=2, protocol="GRPC_WEB", name="unary"), CUT),
        (UNARY.replace("Timeouts", "Basic"), CUT),
        (UNARY, "actual error {code: 14} does not match expected code 4"),
        (UNARY, f"actual error {{code: 14}} does not match expected code 4\n{CUT}"),
    ],
)
def test_no_other_failure_runs_again(case: str, said: str) -> None:
    told: list[str] = []
    assert races.settled({case: said}, passes, told.append) == {case: said}
    assert told == []
