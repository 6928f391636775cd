"""Every method and every error of the kitchen sink by every face, compared with grpcio on its own port."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.parity.cases import ASIDE, CASES, Case
from tests.parity.conftest import Kitchens, ask
from tests.parity.faces import Face
from tests.parity.outcome import HTTP_CODE, SERVICE, Outcome, joined, method_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


def comparable(face: Face, case: Case, outcome: Outcome) -> Outcome:
    """Reduces an outcome to what `face` can represent; each omission has its reason and applies to both sides."""
    shown = replace(
        outcome, answers=[_inspected(answer) if case.method == "Inspect" else answer for answer in outcome.answers]
    )
    if face.name.startswith("google"):
        # Its metadata is an object of strings, which keeps the last of several values.
        return replace(shown, trailers={key: _last(value) for key, value in shown.trailers.items()})
    if face.name == "python-grpc" and shown.code != "OK" and not shown.answers:
        # connect-python gives the one block of a Trailers-Only response as headers and as trailers.
        return replace(shown, headers={key: value for key, value in shown.headers.items() if key not in shown.trailers})
    if not face.name.startswith("rest"):
        return shown
    shown = replace(shown, headers={key: value for key, value in shown.headers.items() if key not in _OF_HTTP})
    if method_of(case.method).server_streaming:
        # A stream's headers are sent before its trailing metadata is known.
        shown = replace(shown, trailers={}) if shown.answers or shown.code == "OK" else shown
    return replace(shown, answers=joined(shown.answers))


def _inspected(answer: Any) -> Any:
    """Returns the metadata that the client sent on purpose, without the headers that protocols add."""
    sent = {key: value for key, value in answer["metadata"].items() if key.startswith("x-") and key not in _THEIRS}
    # Fetch joins repeated values into one header; the servicer answers with the last of several.
    return {"metadata": {key: _last(value) for key, value in sent.items()}}


def _last(value: Any) -> Any:
    return value.rpartition(", ")[2] if isinstance(value, str) else value


_THEIRS = {"x-grpc-web", "x-user-agent", "x-server-timeout"}
# REST sends these parts of an error as HTTP's own headers.
_OF_HTTP = {HTTP_CODE, "retry-after", "www-authenticate"}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_call_ends_as_the_table_says(kitchens: Kitchens, case: Case) -> None:
    measured = await kitchens.measured(case)
    assert (measured.code, len(measured.answers)) == (case.code, case.count)


async def test_every_call_ends_alike_by_every_face(kitchens: Kitchens, any_face: Face) -> None:
    wrong: dict[str, Any] = {}
    asked = [case for case in CASES if any_face.can(method_of(case.method))]
    assert asked
    for case in asked:
        measured = await kitchens.measured(case)
        try:
            seen = await ask(any_face, case)
        except Exception as broken:
            wrong[case.name] = broken
            continue
        expected, found = comparable(any_face, case, measured), comparable(any_face, case, seen)
        if expected != found:
            wrong[case.name] = {
                name: (getattr(expected, name), getattr(found, name))
                for name in Outcome.__dataclass_fields__
                if getattr(expected, name) != getattr(found, name)
            }
    assert not wrong, "\n".join(f"{name}: {str(difference)[:600]}" for name, difference in wrong.items())


async def test_every_method_is_in_the_table() -> None:
    assert {method.name for method in SERVICE.methods} - ASIDE == {case.method for case in CASES}
