"""When the engines of the JSON codec agree on a case of protobuf's suite."""

from __future__ import annotations

import pytest

from .json_testee import agreed


@pytest.mark.parametrize(
    "other",
    [
        {"json_payload": '{"b":2,"a":1}'},
        {"json_payload": '{"a":1.0,"b":2}'},
        {"parse_error": "a"},
        {"protobuf_payload": b""},
    ],
)
def test_engines_that_differ_fail_the_case(other: dict[str, object]) -> None:
    first = {"json_payload": '{"a":1,"b":2}'}
    assert agreed({"wire": first, "native": dict(first)}) == first
    differs = "runtime_error" in agreed({"wire": first, "native": first, "fallback": other})
    assert differs is (other != {"json_payload": '{"b":2,"a":1}'})
