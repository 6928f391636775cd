"""What a client saw of a call, and how that is compared with what a case expects. It knows no client."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2, symbol_database
from google.protobuf.message import Message

from tests.sdk import bodies
from tests.sdk.case_messages import Metadata
from tests.sdk.case_servicer import joined, wire
from tests.sdk.case_table import Case

Line = dict[str, str]
_SYMBOLS = symbol_database.Default()


@dataclass
class Outcome:
    """The end of a call as a client saw it; None for metadata that its protocol does not show."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = ""
    details: Sequence[any_pb2.Any] = ()
    responses: list[Message] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    """The responses as the client has them, where it has another form than messages."""
    initial_metadata: Metadata | None = None
    trailing_metadata: Metadata | None = None
    attempts: int | None = None


def check(case: Case, outcome: Outcome) -> None:
    """Asserts that the outcome is the one that the case expects."""
    told = f"{outcome.code.name}: {outcome.message}"
    assert outcome.code is case.expected_code, told
    if case.expected_message is not None:
        assert outcome.message == case.expected_message
    if case.expected_details is not None:
        assert list(map(_comparable, outcome.details)) == list(map(_comparable, case.expected_details))
    if case.expected_count is not None:
        assert len(outcome.responses) == case.expected_count, told
    if case.expected_responses is not None:
        found, expected = bodies.joined(outcome.responses), bodies.joined(case.expected_responses)
        assert list(map(_known, found)) == list(map(_known, expected)), told
    if None not in (outcome.attempts, case.text.expect.attempts):
        assert outcome.attempts == case.text.expect.attempts
    _check_metadata(outcome.initial_metadata, case.expected_initial_metadata)
    _check_metadata(outcome.trailing_metadata, case.expected_trailing_metadata)


def _check_metadata(found: Metadata | None, expected: Metadata) -> None:
    if found is None:
        return
    for name, values in expected.items():
        assert name in found
        assert joined(found[name]) == joined(values)


def _known(message: Message) -> bytes:
    """Returns a message's bytes without unknown fields, which JSON cannot carry."""
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    return wire(copy)


def _comparable(detail: any_pb2.Any) -> tuple[str, bytes]:
    """Returns equal values for equal details, whose maps may be serialized in any order."""
    name = detail.type_url.rsplit("/", 1)[-1]
    try:
        kind: Any = _SYMBOLS.GetSymbol(name)
    except KeyError:
        return name, detail.value
    return name, wire(kind.FromString(detail.value))


def metadata(pairs: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
    """Groups the values of each key."""
    found: dict[str, tuple[str | bytes, ...]] = {}
    for name, value in pairs or ():
        found[name] = (*found.get(name, ()), value)
    return found


def sent(line: Line, case: Case) -> list[tuple[str, str | bytes]]:
    """Returns the metadata that a client sends for the case."""
    key = line["api_key"] if case.text.api_key is None else case.text.api_key
    own = [(name, value) for name, values in case.metadata.items() for value in values]
    return [("x-case", case.name), ("x-api-key", key), *own]


class Calls:
    """The case server's counters of one case, since this was made."""

    def __init__(self, line: Line, case: Case) -> None:
        self._url = f"{line['http']}/cases/{urllib.parse.quote(case.name, safe='')}"
        self._before = self._read()

    def _read(self) -> dict[str, int]:
        with urllib.request.urlopen(self._url, timeout=20) as answer:
            counters: dict[str, int] = json.load(answer)
        return counters

    def attempts(self) -> int:
        """Returns how many calls the servicer has got."""
        return self._more("started")

    def started(self) -> bool:
        """Whether the servicer has the call."""
        return self._more("started") > 0

    def cancelled(self) -> bool:
        """Whether the servicer's work has ended early."""
        return self._more("cancelled") > 0

    def _more(self, name: str) -> int:
        return self._read()[name] - self._before[name]
