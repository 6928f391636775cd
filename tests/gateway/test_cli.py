"""The `diptych` command as a shell sees it: what it prints, how it exits, and that no failure is a traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diptych.cli.load import LoadError, settings_of

ROOT = Path(__file__).parents[2]
APP = ("--app", "tests.kitchen_app:create")


def diptych(*arguments: str, folder: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, with nothing of the caller's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIPTYCH_")}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])
    return subprocess.run(
        [sys.executable, "-m", "diptych.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**clean, "PYTHONPATH": paths, "NO_COLOR": "1", **env},
    )


def test_every_command_has_help() -> None:
    for command in ((), ("serve",), ("routes",), ("openapi",), ("explain",), ("lint",)):
        done = diptych(*command, "--help")
        assert done.returncode == 0
        assert "Usage:" in done.stdout


def test_the_route_table_is_frozen() -> None:
    """URLs are other people's: a change here is meant, and committed with `diptych routes --plain`."""
    done = diptych("routes", "--plain")
    assert done.stdout == (ROOT / "tests" / "golden" / "routes.txt").read_text()


def test_routes_have_a_heading_for_people() -> None:
    lines = diptych("routes", *APP).stdout.splitlines()
    assert lines[0].split() == ["VERB", "TEMPLATE", "METHOD", "BODY", "RESPONSE_BODY"]
    table = [line.split() for line in lines]
    assert ["POST", "/v1/echo/list", "/kitchen.v1.KitchenService/EchoList", "strings", "strings"] in table
    assert ["PURGE", "/v1/dishes/{dish_id}", "/kitchen.v1.KitchenService/PurgeDish", "-", "-"] in table


def test_openapi_is_printed_or_written(tmp_path: Path) -> None:
    printed = json.loads(diptych("openapi", *APP).stdout)
    assert printed["openapi"] == "3.1.0"
    assert diptych("openapi", *APP, "--output", str(tmp_path / "api.json")).returncode == 0
    assert json.loads((tmp_path / "api.json").read_text()) == printed


@pytest.mark.parametrize(
    ("request_line", "code", "expected"),
    [
        (
            ("GET", "/v1/dishes/7"),
            0,
            ["matched    GET /v1/dishes/{dish_id}", "path       dish_id = '7'", '{"dishId": "7"}', "lost"],
        ),
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
        (("POST", "/v1/dishes/7:cook", "--data", '{"portions": "x"}'), 1, ["400", "portions: a whole number"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_explain(request_line: tuple[str, ...], code: int, expected: list[str]) -> None:
    done = diptych("explain", *request_line, *APP)
    assert done.returncode == code, done.stderr
    for part in expected:
        assert part in done.stdout
    assert done.stderr == ""


def test_lint_of_the_services_finds_nothing() -> None:
    done = diptych("lint", "--strict")
    assert (done.returncode, done.stdout) == (0, "0 errors, 0 warnings\n")


def test_lint_finds_unbindable_fields_and_unmapped_methods() -> None:
    done = diptych("lint", *APP)
    assert done.returncode == 1
    assert "no request can set ingredients: it is a repeated message" in done.stdout
    assert "warning: /kitchen.v1.KitchenService/Unbound: has no google.api.http annotation" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("serve", "nowhere:create"), "cannot import nowhere"),
        (("serve", "tests.kitchen_app:nothing"), "has no nothing"),
        (("serve", "tests.kitchen_app"), "not of the form module:factory"),
        (("serve", "--http-port", "70000"), "http_port"),
        (("serve", "--set", "no_such=1"), "no_such"),
        (("serve", "--set", "services.ocr.no_such=1"), "services.ocr has no setting no_such"),
        (("serve", "--config", "missing.toml"), "no settings file missing.toml"),
        (("serve", "--grpc-host", "192.0.2.1"), "192.0.2.1"),
        (("explain", "GET"), "path"),
        (("no-such-command",), "No such command"),
    ],
)
def test_a_failure_is_one_line(arguments: tuple[str, ...], expected: str) -> None:
    done = diptych(*arguments, GRPC_VERBOSITY="NONE")
    assert done.returncode != 0
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("diptych: ")
    assert expected in done.stderr


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, then the file, then flags."""
    file = tmp_path / "settings.toml"
    file.write_text('http_port = 2\ngrpc_port = 2\n[services.ocr]\npdf_engine = "pypdfium2"\n')
    for name in ("HTTP_PORT", "GRPC_PORT", "GRACE_SECONDS"):
        monkeypatch.setenv(f"DIPTYCH_{name}", "1")
    monkeypatch.setenv("DIPTYCH_SERVICES__OCR__WORKERS", "3")
    monkeypatch.setenv("DIPTYCH_METADATA_DENY", '["cookie"]')
    settings = settings_of(file, {"http_port": 3}, ["log_level=error"])
    assert (settings.http_port, settings.grpc_port, settings.grace_seconds) == (3, 2, 1)
    assert settings.metadata_deny == ("cookie",)
    assert settings.log_level == "error"
    assert settings.services["ocr"] == {"pdf_engine": "pypdfium2", "workers": "3"}


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
        ("LIMITS__RULES", "nonsense", "limits.rules: Input should be a valid tuple"),
        ("AUTH", "nonsense", "auth: Input should be a valid dictionary"),
        ("TRUSTED_PROXIES", "nonsense", "trusted_proxies.0: Input is not a valid IPv4 network; "),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(
    name: str, text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DIPTYCH_{name}", text)
    with pytest.raises(LoadError, match=re.escape(expected)) as told:
        settings_of(None, {}, [])
    assert "nonsense" not in str(told.value)


def test_a_file_in_the_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "diptych.toml").write_text("error_dialect = 'nonsense'\n")
    done = diptych("routes", folder=tmp_path)
    assert done.returncode == 1
    assert "error_dialect" in done.stderr
