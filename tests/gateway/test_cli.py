"""The `diptych` command: its output and exit codes, and that no failure prints a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from diptych import Settings
from diptych.cli.load import LoadError, settings_of
from tests.commands import diptych, fails_in_one_line

ROOT = Path(__file__).parents[2]
APP = "tests.kitchen_app:create"


def test_every_command_has_help() -> None:
    for command in ((), ("serve",), ("routes",), ("openapi",), ("explain",), ("lint",)):
        done = diptych(*command, "--help", own_process=not command)
        assert done.returncode == 0
        assert "Usage:" in done.stdout


def test_routes_have_a_heading_for_people() -> None:
    lines = diptych("routes", APP).stdout.splitlines()
    assert lines[0].split() == ["VERB", "TEMPLATE", "METHOD", "BODY", "RESPONSE_BODY"]
    table = [line.split() for line in lines]
    assert ["POST", "/v1/echo/list", "/kitchen.v1.KitchenService/EchoList", "strings", "strings"] in table
    assert ["PURGE", "/v1/dishes/{dish_id}", "/kitchen.v1.KitchenService/PurgeDish", "-", "-"] in table


def test_openapi_is_printed_or_written(tmp_path: Path) -> None:
    printed = json.loads(diptych("openapi", APP).stdout)
    assert printed["openapi"] == "3.1.0"
    assert diptych("openapi", APP, "--output", str(tmp_path / "api.json")).returncode == 0
    assert json.loads((tmp_path / "api.json").read_text()) == printed


@pytest.mark.parametrize(
    ("request_line", "code", "expected"),
    [
        (
            ("GET", "/v1/dishes/7"),
            0,
            [
                "matched    GET /v1/dishes/{dish_id}",
                "path       dish_id = '7'",
                '{"dishId": "7"}',
                "lost",
                "plain      yes",
            ],
        ),
        (("GET", "/v1/ticks"), 0, ["plain      no, the method streams"]),
        (("GET", "/v1/dishes/special"), 0, ["plain      yes"]),
        (
            ("GET", "/v1/dishes/special"),
            0,
            [
                "matched    GET /v1/dishes/special",
                "segment 3: special is more specific than *",
            ],
        ),
        (("get", "/v1/dishes?pageSize=2"), 0, ["matched    GET /v1/dishes", '"pageSize": 2']),
        (("GET", "/v1/dishes?pageSiz=2"), 1, ["400", "did you mean 'pageSize'?"]),
        (("GET", "/v1/dishes/%ff"), 1, ["400", "UTF-8"]),
        (("GET", "/v2/dishes"), 1, ["404", "GET /v1/dishes: segment 1: 'v2' is not 'v1'"]),
        (("PUT", "/v1/dishes"), 1, ["405", "GET, HEAD, OPTIONS, POST", "POST /v1/dishes: is for POST, not PUT"]),
        (("POST", "/v1/dishes/7:cook", "--data", '{"portions": 3}'), 0, ['"portions": 3', "matched"]),
        (("POST", "/v1/dishes/7:cook", "--data", '{"portions": "x"}'), 1, ["400", "portions: expected an integer"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_explain(request_line: tuple[str, ...], code: int, expected: list[str]) -> None:
    done = diptych("explain", APP, *request_line)
    assert done.returncode == code, done.stderr
    for part in expected:
        assert part in done.stdout
    assert done.stderr == ""


def test_lint_finds_unbindable_fields_and_unmapped_methods() -> None:
    done = diptych("lint", APP)
    assert done.returncode == 1
    assert "no request can set ingredients: it is a repeated message" in done.stdout
    unbound = "has no google.api.http annotation: it is served over gRPC, gRPC-Web and Connect, but not over REST"
    assert f"warning: /kitchen.v1.KitchenService/Unbound: {unbound}\n" in done.stdout
    assert re.search(r"^\d+ errors, 1 warning$", done.stdout, re.MULTILINE)


def test_without_arguments_the_help_is_all() -> None:
    for command in ((), ("auth",)):
        done = diptych(*command, own_process=True)
        assert (done.returncode, done.stderr) == (2, "")
        assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("serve", "nowhere:create"), "cannot import 'nowhere'"),
        (("serve", "tests.kitchen_app:nothing"), "diptych: module 'tests.kitchen_app' has no attribute 'nothing'\n"),
        (("serve", "tests.kitchen_app"), "invalid application 'tests.kitchen_app'; expected module:factory"),
        (("serve",), "diptych: name the application: diptych serve module:factory\n"),
        (("explain", APP, "GET"), "name the application: diptych explain module:factory METHOD PATH"),
        (("serve", APP, "--http-port", "70000"), "diptych: --http-port: expected at most 65535, got '70000'\n"),
        (("serve", APP, "--grpc-port", "abc"), "diptych: --grpc-port: expected a whole number, got 'abc'\n"),
        (("serve", APP, "--workers", "2.5"), "diptych: --workers: expected a whole number, got '2.5'\n"),
        (("serve", APP, "--grace-seconds", "soon"), "diptych: --grace-seconds: expected a number, got 'soon'\n"),
        (("serve", APP, "--set", "no_such=1"), "diptych: --set no_such: there is no such setting\n"),
        (
            ("lint", "tests.kitchen_app:create", "--set", "services.kitchen.stoves=1"),
            "--set services.kitchen.stoves: services.kitchen: there is no such setting",
        ),
        (("serve", APP, "--config", "missing.toml"), "no settings file missing.toml"),
        (("no-such-command",), "No such command"),
    ],
)
def test_a_failure_is_one_line(arguments: tuple[str, ...], expected: str) -> None:
    fails_in_one_line(diptych(*arguments), expected)


def test_an_address_of_another_machine_is_one_line() -> None:
    """Runs in a new process: gRPC reads its verbosity when it is imported."""
    arguments = ("serve", APP, "--grpc-host", "192.0.2.1", "--set", "auth.anonymous=true")
    done = diptych(*arguments, own_process=True, GRPC_VERBOSITY="NONE")
    fails_in_one_line(done, "192.0.2.1")


def test_sources_take_precedence_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags over the environment over the file, in tables too."""
    file = tmp_path / "settings.toml"
    file.write_text(
        "http_port = 2\ngrpc_port = 2\ngrace_seconds = 2\n"
        '[services.ocr]\npdf_engine = "pypdfium2"\nworkers = 2\n[limits]\nrules = [{ rate = "1/day" }]\n'
    )
    for name in ("HTTP_PORT", "GRPC_PORT"):
        monkeypatch.setenv(f"DIPTYCH_{name}", "1")
    monkeypatch.setenv("DIPTYCH_SERVICES__OCR__WORKERS", "3")
    monkeypatch.setenv("DIPTYCH_LIMITS__MAX_KEYS", "7")
    monkeypatch.setenv("DIPTYCH_METADATA_DENY", '["cookie"]')
    settings = settings_of(file, {"http_port": 3}, ["log_level=error"])
    assert (settings.http_port, settings.grpc_port, settings.grace_seconds) == (3, 1, 2)
    assert (settings.limits.max_keys, settings.limits.rules[0].rate) == (7, "1/day")
    assert settings.metadata_deny == ("cookie",)
    assert settings.log_level == "error"
    assert settings.services["ocr"] == {"pdf_engine": "pypdfium2", "workers": "3"}


def test_a_flag_names_a_part_with_dots_in_quotes() -> None:
    given = ['http_rules."bank.v1.Ledger.Close"=skip', 'method_max_body_bytes."/bank.v1.Ledger/Pay"=5']
    settings = settings_of(None, {}, given)
    assert settings.http_rules == {"bank.v1.Ledger.Close": "skip"}
    assert settings.body_limit("/bank.v1.Ledger/Pay") == 5
    with pytest.raises(LoadError, match=r'--set method_max_body_bytes."/bank.v1.Ledger/Pay": .*whole number'):
        settings_of(None, {}, ['method_max_body_bytes."/bank.v1.Ledger/Pay"=many'])


@pytest.mark.parametrize("name", ["send_seconds", "stream_heartbeat_seconds", "sse_retry_seconds", "body_max_seconds"])
def test_a_number_that_may_be_missing_can_be_none_in_every_source(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := tmp_path / "diptych.toml").write_text(f'{name} = "none"\n')
    assert getattr(settings_of(file, {}, []), name) is None
    assert getattr(settings_of(None, {}, [f"{name}=none"]), name) is None
    monkeypatch.setenv(f"DIPTYCH_{name.upper()}", "none")
    assert getattr(settings_of(None, {}, []), name) is None
    with pytest.raises(LoadError, match=r"keep_alive_seconds: expected a number, got 'none'"):
        settings_of(None, {}, ["keep_alive_seconds=none"])


@pytest.mark.parametrize("text", ["https://a.example, https://b.example", '["https://a.example", "https://b.example"]'])
def test_a_list_in_the_environment_is_json_or_has_commas(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_CORS_ORIGINS", text)
    monkeypatch.setenv("DIPTYCH_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    settings = settings_of(None, {}, ["metadata_deny=cookie,host"])
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert [str(proxy) for proxy in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.metadata_deny == ("cookie", "host")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("LIMITS__RULES", "nonsense", "DIPTYCH_LIMITS__RULES: expected a list"),
        ("AUTH", "nonsense", "DIPTYCH_AUTH: expected a table"),
        (
            "AUHT__API_KEYS__CI__HASH",
            "nonsense",
            "DIPTYCH_AUHT__API_KEYS__CI__HASH: auht: there is no such setting; did you mean auth?",
        ),
        (
            "AUTH__JWT__SECRE",
            "nonsense",
            "DIPTYCH_AUTH__JWT__SECRE: there is no such setting; did you mean auth.jwt.secret?",
        ),
        (
            "AUTH__API_KEYS__CI__HAHS",
            "nonsense",
            "DIPTYCH_AUTH__API_KEYS__CI__HAHS: there is no such setting; did you mean",
        ),
        ("APP", "nonsense", "DIPTYCH_APP: there is no such setting"),
    ],
)
def test_an_error_in_the_environment_names_its_variable(
    name: str, text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DIPTYCH_{name}", text)
    with pytest.raises(LoadError, match=re.escape(expected)) as told:
        settings_of(None, {}, [])
    assert "nonsense" not in str(told.value)


WORDING: list[tuple[list[str], str]] = [
    (["http_port=x"], "--set http_port: expected a whole number, got 'x'"),
    (["http_port=1.5"], "--set http_port: expected a whole number, got 1.5"),
    (["http_port=-1"], "--set http_port: expected at least 0, got -1"),
    (["http_port=70000"], "--set http_port: expected at most 65535, got 70000"),
    (["grace_seconds=soon"], "--set grace_seconds: expected a number, got 'soon'"),
    (["http2_ping_seconds=0"], "--set http2_ping_seconds: expected a number greater than 0, got 0"),
    (["docs=maybe"], "--set docs: expected true or false, got 'maybe'"),
    (["error_dialect=xml"], "--set error_dialect: expected 'google', 'status' or 'problem', got 'xml'"),
    (["http_host=1"], "--set http_host: expected text"),
    (["metadata_deny=1"], "--set metadata_deny: expected a list"),
    (["limits=1"], "--set limits: expected a table"),
    (["tls_key=1"], "--set tls_key: expected a path"),
    (
        ["trusted_proxies=x"],
        "--set trusted_proxies: trusted_proxies.0: expected an IP address or network such as 10.0.0.0/8, got 'x'",
    ),
    (["auth.jwt.audiences=x"], "--set auth.jwt.audiences: auth.jwt.issuer: required, but not set"),
    (["auth.jwt.issuer=", "auth.jwt.audiences=x"], "--set auth.jwt.issuer: must not be empty"),
    (
        ["auth.api_keys.a.hash=x", "auth.api_keys.a.expires=x"],
        "expires: expected a date and time with a time zone, such as",
    ),
    # In the wrong table.
    (
        ["limits.max_connections=1"],
        "--set limits.max_connections: there is no such setting; did you mean max_connections?",
    ),
    (["services.http_port=1"], "--set services.http_port: there is no such setting; did you mean http_port?"),
    (["anonymous=true"], "--set anonymous: there is no such setting; did you mean auth.anonymous?"),
    (["rules=1"], "--set rules: there is no such setting; did you mean auth.rules or limits.rules?"),
    # Without effect.
    (
        ["limits.storage_url=redis://secret"],
        "--set limits.storage_url: no effect without a rule with a rate in limits.rules; set that too, or remove it",
    ),
    (
        ["limits.storage_fail=closed"],
        "--set limits.storage_fail: no effect without limits.storage_url; set that too",
    ),
    (
        ["proxy_header=forwarded"],
        "--set proxy_header: no effect without trusted_proxies; set that too, or remove it",
    ),
    (["tls_minimum='1.3'"], "--set tls_minimum: no effect without tls_certificate; set that too, or remove it"),
    (
        ["cors_credentials=true"],
        "--set cors_credentials: no effect without cors_origins; set that too, or remove it",
    ),
    # Two listeners on one port.
    (
        ["http_port=50051"],
        "http_port and grpc_port are both 50051; set another port for one of them, or single_port = true to serve both",
    ),
    (
        ["telemetry.metrics_port=8080"],
        "http_port and telemetry.metrics_port are both 8080; set another port for one of them",
    ),
]


@pytest.mark.parametrize(("assignments", "expected"), WORDING, ids=[row[0][0] for row in WORDING])
def test_the_wording_of_invalid_settings(assignments: list[str], expected: str) -> None:
    with pytest.raises(LoadError) as told:
        settings_of(None, {}, assignments)
    assert expected in str(told.value)
    assert "redis://secret" not in str(told.value)


@pytest.mark.parametrize("given", ["http_host='127.0.0.2'", "single_port=true", "grpc_port=0"])
def test_one_port_may_be_named_twice_where_it_is_opened_once(given: str) -> None:
    assert settings_of(None, {}, ["http_port=50051", given]).http_port == 50051


def tables(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for one in (field.annotation, *get_args(field.annotation)):
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield from tables(one, f"{prefix}{name}.")


@pytest.mark.parametrize("value", ["'nonsense'", "-1", "1.5", "true", "[]", "[[]]", "{}", "{ a = 1 }"])
def test_no_setting_s_error_has_the_wording_of_pydantic(value: str) -> None:
    told = []
    for name in tables(Settings):
        try:
            settings_of(None, {}, [f"{name}={value}"])
        except LoadError as error:
            told.append(str(error))
    assert told
    assert not [text for text in told if re.search(r"Input|Field|Value|should|a valid|pydantic", text)]


FILE = """\
http_port = 1
trusted_proxies = [
    "10.0.0.0/8",
    "secret",
]

[auth.jwt]
isuer = "secret"
audiences = ["x"]
secret = "%s"

[[limits.rules]]
rate = "1/day"

[[limits.rules]]
concurrent = 1
rate = "secret"
"""


def test_an_error_in_the_file_names_its_line(tmp_path: Path) -> None:
    (file := tmp_path / "settings.toml").write_text(FILE % ("secret" * 6))
    with pytest.raises(LoadError) as told:
        settings_of(file, {}, [])
    faults = str(told.value).replace(str(tmp_path), "").split("; ")
    assert (
        "/settings.toml:2: trusted_proxies.1: expected an IP address or network such as 10.0.0.0/8, got 'secret'"
        in faults
    )
    assert "/settings.toml:8: auth.jwt.isuer: there is no such setting" in faults
    assert "did you mean auth.jwt.issuer?" in faults
    assert "/settings.toml:7: auth.jwt.issuer: required, but not set" in faults
    assert any(fault.startswith("/settings.toml:15: limits.rules.1: invalid rate") for fault in faults)
    assert "secretsecret" not in str(told.value)


def test_a_file_that_is_not_toml_is_named_with_its_line(tmp_path: Path) -> None:
    (file := tmp_path / "settings.toml").write_text("http_port = 1\nhttp_host = = 2\n")
    with pytest.raises(LoadError, match=r"settings\.toml:2: Invalid value"):
        settings_of(file, {}, [])


def test_a_file_in_the_working_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "diptych.toml").write_text("\nerror_dialect = 'nonsense'\n")
    done = diptych("routes", APP, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "diptych: diptych.toml:2: error_dialect: expected 'google', 'status' or 'problem', got 'nonsense'"
    )


def test_the_version_is_that_of_the_package() -> None:
    assert diptych("--version").stdout == f"diptych {version('diptych')}\n"


BROKEN = """\
def create(settings):
    return helper(None)

def helper(value):
    return value.nothing
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BROKEN, "broken:create failed: {file}:5: AttributeError: 'NoneType' object has no attribute 'nothing'"),
        ("import orjson\n\n\ndef create() -> int:\n    return orjson.loads('{')\n", "{file}:5: JSONDecodeError"),
        ("import nowhere_at_all\n", "cannot import 'broken': {file}:1: ModuleNotFoundError: No module named"),
        ("def create(:\n", "cannot import 'broken': {file}:1: SyntaxError"),
        ("def create() -> int:\n    return 1\n", "broken:create returned int; expected a Gateway"),
    ],
)
def test_a_factory_that_fails_is_named_with_its_line(text: str, expected: str, tmp_path: Path) -> None:
    (file := tmp_path / "broken.py").write_text(text)
    told = diptych("lint", "broken:create", folder=tmp_path)
    assert (told.returncode, told.stdout) == (1, "")
    assert len(told.stderr.splitlines()) == 1, told.stderr
    assert expected.format(file=file) in told.stderr
    whole = diptych("lint", "broken:create", "--debug", folder=tmp_path).stderr.splitlines()
    assert whole[0] == "Traceback (most recent call last):"
    assert whole[-1] == told.stderr.strip()
