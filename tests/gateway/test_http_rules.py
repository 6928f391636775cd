"""Rules from service configurations and settings, and what a contract may hold without stopping the process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from diptych import Gateway, Settings
from diptych.cli.lint import lint
from diptych.rules import RuleError
from tests.waiting import PATIENCE

from .foreign import Rules, contract

ANY: dict[str, Any] = {"http_port": 0, "grpc_port": 0, "telemetry": {"metrics": False}}


def gateway_of(service: tuple[str, dict[str, Any]], **settings: Any) -> Gateway:
    gateway = Gateway(Settings(**{**ANY, **settings}))
    gateway.add_registered_method_handlers(*service)
    return gateway


@asynccontextmanager
async def running(service: tuple[str, dict[str, Any]], **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    async with gateway_of(service, **settings) as gateway:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=PATIENCE) as http:
            yield http
        await gateway.stop(0)


async def title(http: httpx2.AsyncClient, verb: str, path: str, **more: Any) -> str | int:
    """Returns the title of the dish that answers, or the status of an error."""
    answer = await http.request(verb, path, **more)
    return str(answer.json()["title"]) if answer.status_code == 200 else answer.status_code


def yaml(folder: Path, text: str) -> tuple[str, ...]:
    (file := folder / "rest.yaml").write_text("type: google.api.Service\nconfig_version: 3\n" + text)
    return (str(file),)


TWO: Rules = {"First": {"get": "/v1/a/{id}"}, "Second": {"get": "/v1/a/{title}"}, "Third": {"get": "/v1/b"}}


# Service configurations.


async def test_a_service_configuration_maps_methods_without_annotations(tmp_path: Path) -> None:
    service = contract({"Get": {}, "Pay": {}, "None": {}})
    config = yaml(
        tmp_path,
        f"""
http:
  fully_decode_reserved_expansion: true
  rules:
  - selector: {service[0]}.Get
    get: /v1/ledgers/{{id}}
    additional_bindings:
    - get: /v1/{{title=ledgers/*/old}}
    - custom: {{kind: REPORT, path: /v1/ledgers}}
  - selector: {service[0]}.Pay
    post: "/v1/ledgers/{{id}}:pay"
    body: "title"
    response_body: title
authentication: {{}}
""",
    )
    async with running(service, service_config=config) as http:
        assert await title(http, "GET", "/v1/ledgers/7?title=x") == "Get x"
        assert await title(http, "GET", "/v1/ledgers/7/old") == "Get ledgers/7/old"
        assert await title(http, "REPORT", "/v1/ledgers") == "Get"
        assert (await http.post("/v1/ledgers/7:pay", json="rent")).json() == "Pay rent"
        assert "/v1/ledgers/{id}:pay" in (await http.get("/openapi.json")).json()["paths"]


async def test_it_overrides_annotations_and_the_last_rule_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = contract({"Get": {"get": "/v1/old"}})
    name = f"{service[0]}.Get"
    rules = f"http:\n  rules:\n  - {{selector: {name}, get: /v1/new}}\n  - {{selector: {name}, get: /v1/newest}}\n"
    with caplog.at_level(logging.INFO, "diptych"):
        async with running(service, service_config=yaml(tmp_path, rules)) as http:
            for path, answer in {"/v1/old": 404, "/v1/new": 404, "/v1/newest": "Get"}.items():
                assert await title(http, "GET", path) == answer
    said = [record.getMessage() for record in caplog.records]
    assert f"{name}: the annotation is overridden by {tmp_path}/rest.yaml: http.rules[1]" in said
    assert any("http.rules[0] is overridden by" in line for line in said)
    own = {name: {"get": "/v1/settings"}}
    async with running(service, service_config=yaml(tmp_path, rules), http_rules=own) as http:
        assert await title(http, "GET", "/v1/settings") == "Get"
        assert await title(http, "GET", "/v1/newest") == 404


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http:\n  rules:\n  - {selector: NAME.Gte, get: /v1/x}\n",
         "'NAME.Gte' names no method of a registered service; did you mean 'NAME.Get'?"),
        ("http:\n  rules:\n  - {selector: NAME.Get, get: '/v1/{idd}'}\n", "http.rules[0]: "),
        ("http:\n  rules:\n  - {selector: NAME.Get, got: /v1/x}\n", 'http.rules[0]: not a google.api.HttpRule: '),
        ("http:\n  rules:\n  - {selector: NAME.Get}\n", "has no pattern"),
        ("http:\n  rules:\n  - {get: /v1/x}\n", "http.rules[0]: expected a selector"),
        ("http:\n  rules:\n  - selector: NAME.Get\n    post: /v1/x\n    body: *\n", 'quote the asterisk: body: "*"'),
        ("http: [\n", "rest.yaml:4: "),
        ("http: {}\n", "rest.yaml: expected a list of rules below http.rules"),
        ("http:\n  rule: []\n", "rest.yaml: expected a list of rules below http.rules"),
    ],
)  # fmt: skip
async def test_a_wrong_configuration_stops_the_start(text: str, words: str, tmp_path: Path) -> None:
    service = contract({"Get": {}})
    gateway = gateway_of(service, service_config=yaml(tmp_path, text.replace("NAME", service[0])))
    with pytest.raises(RuleError) as wrong:
        await gateway.start()
    assert words.replace("NAME", service[0]) in str(wrong.value)
    assert "rest.yaml" in str(wrong.value)


async def test_a_missing_file_stops_the_start() -> None:
    with pytest.raises(RuleError, match=r"service_config: cannot read nowhere\.yaml: No such file"):
        await gateway_of(contract({"Get": {}}), service_config=("nowhere.yaml",)).start()


async def test_another_document_is_refused(tmp_path: Path) -> None:
    (file := tmp_path / "rest.yaml").write_text("type: google.api.Other\nhttp: {rules: []}\n")
    with pytest.raises(RuleError, match=r"rest\.yaml: expected a document of type google\.api\.Service"):
        await gateway_of(contract({"Get": {}}), service_config=(str(file),)).start()


async def test_rules_of_a_service_that_is_not_registered_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served, other = contract({"Get": {}}), contract({"Get": {}})
    rules = "".join(f"  - {{selector: {one[0]}.Get, get: /v1/x}}\n" for one in (served, other))
    async with running(served, service_config=yaml(tmp_path, f"http:\n  rules:\n{rules}")) as http:
        assert await title(http, "GET", "/v1/x") == "Get"
    assert f"{other[0]}.Get: not served over REST: {other[0]} is not registered" in caplog.text


async def test_a_file_may_have_rules_of_services_that_no_proto_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As Google's files have for mixins. A name that resembles a registered one is a mistake."""
    name, methods = contract({"Get": {}})
    mixin = "mixins.v1.Operations.Wait"
    rules = "".join(f"  - {{selector: {one}, get: /v1/x}}\n" for one in (f"{name}.Get", mixin))
    config = yaml(tmp_path, f"http:\n  rules:\n{rules}")
    async with running((name, methods), service_config=config) as http:
        assert await title(http, "GET", "/v1/x") == "Get"
    assert f"{mixin}: not served over REST: mixins.v1.Operations is not registered" in caplog.text
    config = yaml(tmp_path, f"http:\n  rules:\n  - {{selector: {name}s.Get, get: /v1/x}}\n")
    with pytest.raises(RuleError, match="names no method of a registered service; did you mean"):
        await gateway_of((name, methods), service_config=config).start()


# Skipping and overriding by selector.


async def test_a_rule_that_cannot_be_served_is_skipped_or_overridden(caplog: pytest.LogCaptureFixture) -> None:
    service = contract(
        {
            "Bad": {"get": "/v1/{nope}"},
            "Worse": {"get": "/v1/{a"},
            "Body": {"get": "/v1/c", "body": "*"},
            "Good": {"get": "/v1/d"},
        }
    )
    rules = {
        f"{service[0]}.Bad": {"get": "/v1/{id}/bad"},
        f"{service[0]}.Worse": "skip",
        f"{service[0]}.Body": {"post": "/v1/c", "body": "*", "additional_bindings": [{"put": "/v1/c", "body": "*"}]},
    }
    with caplog.at_level(logging.INFO, "diptych"):
        async with running(service, http_rules=rules) as http:
            assert await title(http, "GET", "/v1/7/bad") == "Bad"
            assert await title(http, "PUT", "/v1/c", json={"title": "x"}) == "Body x"
            assert await title(http, "GET", "/v1/d") == "Good"
    assert f"{service[0]}.Worse: not served over REST: skipped by http_rules" in caplog.text
    assert f"{service[0]}.Bad: the annotation is overridden by http_rules.{service[0]}.Bad" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_all_methods_below_a_name_are_skipped(tmp_path: Path) -> None:
    service = contract(TWO)
    package = service[0].rpartition(".")[0]
    config = yaml(tmp_path, "http:\n  rules:\n  - {selector: elsewhere.v1.Other.Get, get: /v1/x}\n")
    rules: dict[str, Any] = {f"{package}.*": "skip", "elsewhere.*": "skip"}
    async with running(service, http_rules=rules, service_config=config) as http:
        assert await title(http, "GET", "/v1/b") == 404


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"NAME.Thrid": "skip"},
         "http_rules.NAME.Thrid: selector 'NAME.Thrid' names no method of a registered service; did you mean"),
        ({"NAME.Thrid": {"get": "/v1/c"}}, "did you mean 'NAME.Third'?"),
        ({"NAME.Third": {"gte": "/v1/c"}}, "http_rules.NAME.Third: not a google.api.HttpRule: "),
        ({"elsewhere.*": "skip"}, "http_rules.elsewhere.*: selector 'elsewhere.*' names no method"),
    ],
)  # fmt: skip
async def test_a_wrong_selector_or_rule_in_the_settings_stops_the_start(rules: Any, words: str) -> None:
    service = contract({"Third": {"get": "/v1/b"}})
    named = {selector.replace("NAME", service[0]): rule for selector, rule in rules.items()}
    with pytest.raises(RuleError) as wrong:
        await gateway_of(service, http_rules=named).start()
    assert words.replace("NAME", service[0]) in str(wrong.value)


# Conflicts.


@pytest.mark.parametrize(("conflicts", "answer"), [("first", "First"), ("skip", 404)])
async def test_conflicting_rules_by_setting(
    conflicts: str, answer: str | int, caplog: pytest.LogCaptureFixture
) -> None:
    service = contract(TWO)
    async with running(service, conflicts=conflicts) as http:
        assert await title(http, "GET", "/v1/a/7") == answer
        assert await title(http, "GET", "/v1/b") == "Third"
        assert ("/v1/a/{id}" in (await http.get("/openapi.json")).json()["paths"]) == (conflicts == "first")
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    dropped = ["Second"] if conflicts == "first" else ["First", "Second"]
    assert len(said) == len(dropped)
    for line, name in zip(said, dropped, strict=True):
        assert line.startswith("GET /v1/a/{")
        assert "not served over REST: has the same shape" in line
        assert f"({service[0]}.{name})" in line
        assert f'(conflicts = "{conflicts}")' in line


async def test_by_default_a_conflict_stops_the_start_and_says_how_many_more_errors_there_are() -> None:
    service = contract({**TWO, "Bad": {"get": "/v1/{nope}"}})
    with pytest.raises(RuleError, match=r"has no field 'nope'.*; and 1 more error, which diptych lint lists"):
        await gateway_of(service).start()


def test_lint_reports_everything_at_once() -> None:
    service = contract({**TWO, "Bad": {"get": "/v1/{nope}"}, "Worse": {"get": "/v1/{a"}, "Skipped": {"get": "/v1/{b"}})
    rules: dict[str, Any] = {f"{service[0]}.Skipped": "skip", f"{service[0]}.Typo": "skip"}
    findings = lint(gateway_of(service, http_rules=rules))
    told = "\n".join(str(finding) for finding in findings)
    for words in (
        "Bad: column",
        "Worse: column",
        "Typo: selector",
        "Second: column 1 of '/v1/a/{title}': has the same shape",
    ):
        assert len([one for one in findings if one.level == "error" and words in str(one)]) == 1, told
    assert f"note: {service[0]}.Skipped: not served over REST: skipped by http_rules" in told
    assert "has no google.api.http annotation" not in told
    dropped = lint(gateway_of(service, http_rules={**rules, f"{service[0]}.Bad": "skip"}, conflicts="first"))
    assert [one.level for one in dropped if "conflicts" in str(one)] == ["warning"]
