"""The table of cases that every client runs: reads `cases/*.json`, and refuses a case that could not mean anything.

It knows no server and no client. `cases/README.md` describes the format.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import grpc
from google.protobuf import any_pb2, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2
from pydantic import ValidationError

from tests.sdk import bodies, case_messages
from tests.sdk.case_messages import Metadata
from tests.sdk.case_text import CaseFile, CaseText
from tests.sdk.contracts import methods

FOLDER = Path(__file__).parent / "cases"


class TableError(ValueError):
    """A case that cannot be run; names the file, the case and the member to correct."""


@dataclass(frozen=True)
class Case:
    """A case with its method and its messages. `expected` members are complete; None means that any value is right."""

    text: CaseText
    method: MethodDescriptor

    @property
    def name(self) -> str:
        """The name, as clients send it in the metadata `x-case`."""
        return self.text.name

    @cached_property
    def requests(self) -> list[Message]:
        """What the client sends."""
        once = [case_messages.message(self.method.input_type, given, self.text.fill) for given in self.text.requests]
        return once * self.text.repeat

    @cached_property
    def metadata(self) -> Metadata:
        """The client's metadata, without the case's name and the credentials."""
        return case_messages.metadata(self.text.metadata)

    @cached_property
    def responses(self) -> list[Message]:
        """What the server sends; `repeat` is not applied."""
        given, cls = self.text.server, message_factory.GetMessageClass(self.method.output_type)
        if given.responses_wire:
            return [cls.FromString(base64.b64decode(wire, validate=True)) for wire in given.responses_wire]
        return [case_messages.message(self.method.output_type, json, given.fill) for json in given.responses]

    @cached_property
    def initial_metadata(self) -> Metadata:
        """What the server sends before its responses."""
        return case_messages.metadata(self.text.server.initial_metadata)

    @cached_property
    def trailing_metadata(self) -> Metadata:
        """What the server sends after its responses."""
        return case_messages.metadata(self.text.server.trailing_metadata)

    @cached_property
    def failures(self) -> list[status_pb2.Status]:
        """The statuses of calls that fail before one follows the script."""
        return [case_messages.status(given) for given in self.text.server.failures]

    @cached_property
    def status(self) -> status_pb2.Status:
        """The status that the server ends the call with."""
        return case_messages.status(self.text.server.status)

    @property
    def expected_code(self) -> grpc.StatusCode:
        """The code that the client sees."""
        return grpc.StatusCode[self.text.expect.code or self.text.server.status.code]

    @property
    def expected_message(self) -> str | None:
        """The message of the error that the client sees."""
        given = self.text.expect.message
        return self.text.server.status.message if given is None and self._sees_status else given

    @cached_property
    def expected_details(self) -> list[any_pb2.Any] | None:
        """The details of the error that the client sees."""
        given = self.text.expect.details
        if given is None:
            return list(self.status.details) if self._sees_status else None
        return [case_messages.detail(one) for one in given]

    @cached_property
    def expected_responses(self) -> list[Message] | None:
        """The messages that the client gets, before an error too."""
        expect, server = self.text.expect, self.text.server
        if expect.responses is not None:
            return [case_messages.message(self.method.output_type, given, server.fill) for given in expect.responses]
        return None if expect.count is not None else self.responses * server.repeat

    @property
    def expected_count(self) -> int | None:
        """The number of messages that the client gets, where they are too many to list."""
        return self.text.expect.count

    @cached_property
    def expected_initial_metadata(self) -> Metadata:
        """Initial metadata that the client sees, among other."""
        given = self.text.expect.initial_metadata
        return self.initial_metadata if given is None else case_messages.metadata(given)

    @cached_property
    def expected_trailing_metadata(self) -> Metadata:
        """Trailing metadata that the client sees, among other."""
        given = self.text.expect.trailing_metadata
        return self.trailing_metadata if given is None else case_messages.metadata(given)

    @property
    def _sees_status(self) -> bool:
        """Whether the call ends with the status of the script, and not by a cancellation or a deadline."""
        return self.expected_code.name == self.text.server.status.code

    def check(self) -> None:
        """Converts everything once. Raises ValueError for what does not parse or fit the method."""
        for name in ("requests", "responses", "failures", "status", "expected_responses", "expected_details"):
            getattr(self, name)
        for name in ("metadata", "initial_metadata", "trailing_metadata"):
            getattr(self, name)
        for problem in _problems(self):
            raise ValueError(problem)


def read(folder: Path = FOLDER) -> dict[str, Case]:
    """Reads every file of a folder and of those in it. Raises `TableError`."""
    known, found = methods(), dict[str, Case]()
    for file in sorted(folder.rglob("*.json")):
        for case in _cases(file, known):
            if case.name in found:
                raise TableError(f"{file.name}: two cases are named {case.name!r}; rename one")
            found[case.name] = case
    if not found:
        raise TableError(f"{folder} contains no cases; expected files *.json")
    return found


def _cases(file: Path, known: Mapping[str, MethodDescriptor]) -> Iterable[Case]:
    try:
        given = CaseFile.model_validate(json.loads(file.read_text()))
    except json.JSONDecodeError as error:
        raise TableError(f"{file.name}: not JSON: {error}") from None
    except ValidationError as error:
        raise TableError(f"{file.name}: {_first(error)}") from None
    for text in given.cases:
        if text.method not in known:
            raise TableError(f"{file.name}: {text.name}: no contract has a method {text.method!r}")
        case = Case(text, known[text.method])
        try:
            case.check()
        except (ValueError, json_format.Error, DecodeError) as error:
            raise TableError(f"{file.name}: {text.name}: {error}") from None
        yield case


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(step) for step in fault["loc"])
    return f"{place}: {fault['msg']} (given: {fault['input']!r:.80})"


def _problems(case: Case) -> Iterable[str]:
    """Says what the parts of a case contradict."""
    text, method = case.text, case.method
    streams_out, both = method.server_streaming, method.client_streaming and method.server_streaming
    if not method.client_streaming and len(case.requests) != 1:
        yield f"requests: {text.method} takes one request, not {len(case.requests)}"
    if text.server.read is not None and bodies.of(method.input_type) is not None:
        yield "server.read: not possible for a method whose requests hold google.api.HttpBody, which are joined"
    if text.lockstep and not (both and len(case.requests) == len(case.responses) and text.server.repeat == 1):
        yield "lockstep: needs a bidirectional method and a response for each request"
    if text.server.responses and text.server.responses_wire:
        yield "server: give either responses or responses_wire"
    ends_well = text.server.status.code == "OK" and not text.server.wait
    if not streams_out and len(case.responses) * text.server.repeat != int(ends_well and text.api_key is None):
        yield f"server.responses: {text.method} sends one response if it succeeds and waits for nothing, else none"
    if text.cancel_after is not None and not text.server.wait:
        yield "cancel_after: needs server.wait, otherwise the call may end first"
    if text.server.wait and text.cancel_after is None and text.deadline_seconds is None:
        yield "server.wait: needs cancel_after or deadline_seconds, otherwise the call does not end"
    if case.failures and text.expect.attempts is None:
        yield "expect.attempts: needed with server.failures, since only clients that retry can run the case"
    if case.expected_code.name == "OK" and not ends_well:
        yield "expect.code: missing, and the server never ends this call with OK"
