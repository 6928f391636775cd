"""REST and gRPC give a caller of the SDK the same: for every method, with every field of requests and responses set."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

import artificer
from artificer._methods import names
from codegen.sdk.naming import snake
from tests.sdk import bodies, case_table, filler, sdk_clients
from tests.sdk.case_table import Case
from tests.sdk.conftest import case_server
from tests.sdk.contracts import methods
from tests.sdk.outcome import Line, check

SDK = Path(next(iter(artificer.__path__)))
Served = tuple[Line, dict[str, Case]]


def _cases(name: str) -> list[dict[str, Any]]:
    """Returns cases of a method which together set every field of its messages."""
    method = methods()[name]
    # Requests are full, since REST needs the fields of the path. A body without a media type gets one over REST.
    requests = filler.branches(method.input_type)
    full = filler.branches if bodies.of(method.output_type) is not None else filler.variants
    responses = [base64.b64encode(one.SerializeToString()).decode() for one in full(method.output_type)]
    sent = [requests] if method.client_streaming else [[request] for request in requests]
    answers = [responses] if method.server_streaming else [[response] for response in responses]
    prefix = name.lower().replace(".", "-")
    return [
        {
            "name": f"{prefix}-{number}",
            "why": "Every field is set.",
            "method": name,
            "requests": [MessageToDict(request) for request in sent[min(number, len(sent) - 1)]],
            "server": {"responses_wire": answers[min(number, len(answers) - 1)]},
        }
        for number in range(max(len(sent), len(answers)))
    ]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that answers every method with full messages, and its cases."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "full.json").write_text(json.dumps({"cases": [case for name in methods() for case in _cases(name)]}))
    with case_server(folder) as line:
        yield line, case_table.read(folder)


def _of(served: Served, name: str) -> list[Case]:
    return [case for case in served[1].values() if case.text.method == name]


@pytest.mark.parametrize("name", names())
def test_both_transports(served: Served, name: str) -> None:
    """The models of both transports are equal, and are what the server sent."""
    for case in _of(served, name):
        rest, grpc = (sdk_clients.call(served[0], case, transport) for transport in ("rest", "grpc"))
        check(case, rest)
        check(case, grpc)
        # Over REST the pieces of a file may have any size.
        if not (case.method.server_streaming and bodies.of(case.method.output_type) is not None):
            assert rest.values == grpc.values


def test_every_method_is_known() -> None:
    """The SDK knows every method of the contracts, and no other."""
    assert set(names()) == set(methods())


@pytest.mark.parametrize("package", ["_async", "_sync"])
def test_every_method_has_a_door(package: str) -> None:
    """A resource of the client calls every method of the contracts."""
    called = {
        (node.value.id, node.attr)
        for file in (SDK / package / "api").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    missing = []
    for name in names():
        service, _, method = name.rpartition(".")[2].partition("/")
        if (service, snake(method).upper()) not in called:
            missing.append(name)
    assert missing == []
