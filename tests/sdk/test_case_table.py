"""The table refuses cases that mean nothing, and its server refuses calls that are not the case's."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.sdk import case_table, grpc_clients
from tests.sdk.case_table import Case
from tests.sdk.case_text import CaseText
from tests.sdk.conftest import ROOT
from tests.sdk.contracts import methods
from tests.sdk.outcome import Calls, Line, check
from tests.waiting import PATIENCE

JOB = "artificer.batch.v1.BatchService/GetJob"
PROGRESS = "artificer.batch.v1.BatchService/StreamProgress"
ATTACH = "artificer.batch.v1.BatchService/Attach"
GOOD: dict[str, Any] = {"name": "a/b", "why": "w", "method": JOB, "server": {"responses": [{"id": "j"}]}}
WAITING = {"wait": True}

WRONG: dict[str, dict[str, Any]] = {
    "cases.0.whyy: Extra inputs": {"whyy": "w"},
    "cases.0.name: String should match": {"name": "A Case"},
    "cases.0.server.status.code: Value error, unknown code": {"server": {"status": {"code": "LOST"}}},
    "a/b: no contract has a method": {"method": "artificer.batch.v1.BatchService/Nothing"},
    'has no field named "idd"': {"server": {"responses": [{"idd": "j"}]}},
    "has no field 'length'": {"fill": {"field": "length", "bytes": 3}},
    "takes one request, not 2": {"requests": [{}, {}]},
    "cases.0.server.failures.0.code": {"server": {"failures": [{"code": "LOST"}]}},
    "expect.attempts: needed": {"server": {"responses": [{}], "failures": [{"code": "UNAVAILABLE"}]}},
    "sends one response if": {"server": {"responses": []}},
    "sends one response if it": {"server": {"responses": [{}], "status": {"code": "ABORTED"}}},
    "cancel_after: needs server.wait": {"cancel_after": 0},
    "server.wait: needs": {"server": WAITING},
    "expect.code: missing": {"server": WAITING, "cancel_after": 0},
    "lockstep: needs": {"lockstep": True},
    "lockstep: needs a bidirectional method and a response for each": {
        "method": ATTACH,
        "lockstep": True,
        "server": {},
    },
    "either responses or responses_wire": {"server": {"responses": [{}], "responses_wire": [""]}},
    "Error parsing message": {"server": {"responses_wire": ["AA=="]}},
    "unknown type 'type.googleapis.com/a.B'": {
        "server": {"status": {"code": "ABORTED", "details": [{"@type": "type.googleapis.com/a.B", "b": 1}]}}
    },
    "Only base64 data is allowed": {"metadata": {"x-bin": "?"}},
    "server.read: not possible": {
        "method": "artificer.batch.v1.BatchService/UploadBlob",
        "server": {"responses": [{}], "read": 0},
    },
}


def _table(folder: Path, *cases: dict[str, Any]) -> Path:
    (folder / "some.json").write_text(json.dumps({"cases": cases}))
    return folder


@pytest.mark.parametrize("problem", WRONG)
def test_wrong_case(tmp_path: Path, problem: str) -> None:
    """The error names the file and what to correct."""
    with pytest.raises(case_table.TableError) as raised:
        case_table.read(_table(tmp_path, GOOD | WRONG[problem]))
    assert str(raised.value).startswith("some.json: ")
    assert problem in str(raised.value)


def test_good_case(tmp_path: Path) -> None:
    """What the wrong cases differ from is right."""
    assert list(case_table.read(_table(tmp_path, GOOD))) == ["a/b"]


def test_wrong_files(tmp_path: Path) -> None:
    """Names must differ, a folder must have cases, and a file must be JSON."""
    with pytest.raises(case_table.TableError, match="two cases are named 'a/b'"):
        case_table.read(_table(tmp_path, GOOD, GOOD))
    with pytest.raises(case_table.TableError, match="contains no cases"):
        case_table.read(tmp_path / "nowhere")
    (tmp_path / "other.json").write_text("{")
    with pytest.raises(case_table.TableError, match=r"other\.json: not JSON"):
        case_table.read(tmp_path)


def test_server_of_a_wrong_table(tmp_path: Path) -> None:
    """The program ends with the error in one line."""
    command = [sys.executable, "-m", "tests.sdk.case_server", "--cases", str(_table(tmp_path, GOOD, GOOD))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "case_server: some.json: two cases are named 'a/b'; rename one\n"


def _changed(name: str, /, **members: Any) -> Case:
    """Returns a case of the table as a client would run it that does something else."""
    case = case_table.read()[name]
    given = copy.deepcopy(case.text.model_dump(exclude_unset=True)) | members
    return Case(CaseText.model_validate(given), methods()[given["method"]])


DIFFERENT: dict[str, tuple[str, dict[str, Any]]] = {
    "request 1": ("unary/plain", {"requests": [{"jobId": "other"}]}),
    "expected no more, got": ("streams/client", {"repeat": 2}),
    "got no more": ("streams/client", {"requests": [{"jobId": "j", "items": [{"input": "a"}]}]}),
    "metadata x-tenant": ("metadata/text", {"metadata": {"x-tenant": "red"}}),
    "metadata x-raw-bin": ("metadata/binary", {"metadata": {}}),
    "the client called artificer.batch.v1.BatchService.StreamProgress": ("unary/plain", {"method": PROGRESS}),
}


@pytest.mark.parametrize("difference", DIFFERENT)
def test_different_call(artificer_cases: Line, difference: str) -> None:
    """A client that does not do what the case says gets an error with the difference."""
    name, members = DIFFERENT[difference]
    outcome = grpc_clients.call(artificer_cases, _changed(name, **members))
    assert outcome.code is grpc.StatusCode.FAILED_PRECONDITION
    assert outcome.message.startswith("x-case: ")
    assert difference in outcome.message


EXPECTED_OTHERWISE = {
    "unary/plain": {"responses": [{"id": "j-2"}]},
    "streams/server": {"responses": []},
    "sizes/many-requests": {"count": 2},
    "errors/not-found": {"message": "another"},
    "errors/aborted": {"code": "UNKNOWN"},
    "errors/several-details": {"details": []},
    "metadata/text": {"initial_metadata": {"x-first": "b"}},
    "metadata/binary": {"trailing_metadata": {"x-none": "b"}},
}


@pytest.mark.parametrize("name", EXPECTED_OTHERWISE)
def test_other_outcome(artificer_cases: Line, name: str) -> None:
    """An outcome that differs from the expectation in one member fails."""
    outcome = grpc_clients.call(artificer_cases, case_table.read()[name])
    with pytest.raises(AssertionError):
        check(_changed(name, expect=EXPECTED_OTHERWISE[name]), outcome)


def test_unknown_case(artificer_cases: Line) -> None:
    """A case that the table does not have."""
    case = _changed("unary/plain", name="no/case")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        Calls(artificer_cases, case)
