"""How failures of the conformance suites compare with the list of known ones."""

from __future__ import annotations

import pytest

from . import known

LIST = known.read("# a comment\n\nh2spec/*/5.3.1/1 deprecated\n~h2spec/grpc-*/8.1/1 chance\n")
ALWAYS = {"h2spec/single/5.3.1/1": "a dependency"}


@pytest.mark.parametrize(
    ("failed", "faults"),
    [
        (ALWAYS, []),
        ({**ALWAYS, "h2spec/grpc-tls/8.1/1": "trailers"}, []),
        ({**ALWAYS, "h2spec/single/8.1/1": "trailers"}, ["failed: h2spec/single/8.1/1\n    trailers"]),
        ({}, ["passes, so remove it from known.txt: h2spec/*/5.3.1/1"]),
    ],
)
def test_new_failures_and_stale_lines_are_faults(failed: dict[str, str], faults: list[str]) -> None:
    assert known.faults(LIST, "h2spec", failed) == faults


def test_every_line_of_the_list_has_a_reason() -> None:
    assert known.read(known.FILE.read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="h2spec/a has no reason"):
        known.read("h2spec/a\n")


@pytest.mark.parametrize("name", ["connect/uvloop/x", "~connect/*", "interop/x", "json/x", "*"])
def test_only_h2spec_may_have_known_failures(name: str) -> None:
    with pytest.raises(ValueError, match="cases of the other suites must pass"):
        known.read(f"{name} a reason\n")
