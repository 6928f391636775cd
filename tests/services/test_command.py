"""The `diptych` command with this repository's services: their routes, and errors in their settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import ROOT, diptych, fails_in_one_line

SERVICES = "artificer_services.app:create"


def test_the_route_table_has_not_changed() -> None:
    """Clients depend on URLs: an intended change is committed with the output of `routes --plain`."""
    done = diptych("routes", SERVICES, "--plain")
    assert done.stdout == (ROOT / "tests" / "golden" / "routes.txt").read_text()


def test_lint_of_the_services_finds_nothing() -> None:
    done = diptych("lint", SERVICES, "--strict")
    assert (done.returncode, done.stdout) == (0, "0 errors, 0 warnings\n")


def test_explain_says_how_many_losers_it_leaves_out() -> None:
    done = diptych("explain", SERVICES, "POST", "/v1/jobs/x:start")
    *_, last = lines = done.stdout.splitlines()
    routes = len((ROOT / "tests" / "golden" / "routes.txt").read_text().splitlines())
    assert sum(line.startswith("lost ") for line in lines[:-1]) == 8
    assert last.endswith("more routes, less like the path, not shown")
    assert 0 < int(last.split()[1]) < routes


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (
            "services.batch.tasks.ocr_extrakt.dpi=1",
            "tasks.ocr_extrakt: there is no such task type; did you mean ocr.extract?",
        ),
        (
            "services.batch.tasks.ocr.extrakt.dpi=1",
            "tasks.ocr.extrakt: there is no such task type; did you mean ocr.extract?",
        ),
        ("services.batch.tasks.llm.generate.retires=1", "retires: there is no such setting; did you mean "),
        ("services.batch.tasks.llm.generate.base_url=x", "is services.ai.chat_models.NAME.base_url now"),
        ("services.batch.lease_seconds=nan", "services.batch.lease_seconds: expected a finite number, got nan"),
        ("services.ocr.page_timeout=inf", "services.ocr.page_timeout: expected a finite number, got inf"),
        ("services.chat.broker=redis", "services.chat.redis_url: broker = redis requires redis_url"),
        ('services.ocr.languages=["xyz"]', "services.ocr.languages: language 'xyz' is not installed"),
        ("services.batch.stop_grace_seconds=-1", "stop_grace_seconds must be"),
    ],
)
def test_a_wrong_setting_of_a_service_stops_the_start(setting: str, expected: str) -> None:
    done = diptych("lint", SERVICES, "--set", setting)
    assert done.returncode == 1
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert ".py:" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("services.batch.sweep_seconds=0", "sweep_seconds must be positive, not 0.0"),
        ("services.batch.heartbeat_seconds=20", "heartbeat_seconds must be at most a third of lease_seconds"),
        ("services.batch.database_url=x", "database_url must begin with postgresql://"),
        ("services.batch.tasks.rag.folder=x", "is gone: index documents by rag.index"),
        ("services.batch.tasks.llm.generate.retries=-1", "retries must not be negative, but is -1"),
        ("services.chat.queue_bytes=0", "queue_bytes must be positive, not 0"),
        ("services.ocr.dpi_cap=0", "dpi_cap must be positive, not 0"),
    ],
)
def test_an_error_names_the_flag_of_the_setting(setting: str, text: str) -> None:
    """It named the first flag of the service's table."""
    service = setting.split(".")[1]
    first = f"services.{service}.{'page_timeout=9' if service == 'ocr' else 'page=false'}"
    done = diptych("lint", SERVICES, "--set", first, "--set", setting)
    assert done.returncode == 1
    assert done.stderr.startswith(f"diptych: --set {setting.partition('=')[0]}: ")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("service", ["ai", "batch", "chat"])
def test_a_data_dir_that_cannot_be_made_is_an_error_of_the_setting(service: str, tmp_path: Path) -> None:
    folders = [f"services.{name}.data_dir={tmp_path / 'data'}" for name in ("ai", "batch", "chat") if name != service]
    settings = [
        "http_port=0",
        "grpc_port=0",
        "services.ocr.workers=1",
        *folders,
        f"services.{service}.data_dir=/proc/x",
    ]
    done = diptych("serve", SERVICES, *[word for one in settings for word in ("--set", one)])
    expected = f"--set services.{service}.data_dir: cannot create the folder '/proc/x': No such file or directory"
    fails_in_one_line(done, expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("lint", SERVICES, "--set", "services.ocr.wokers=1"),
            "--set services.ocr.wokers: there is no such setting; did you mean services.ocr.workers?",
        ),
        (
            ("lint", SERVICES, "--set", "services.orc.workers=1"),
            "--set services.orc.workers: services.orc: there is no such setting; did you mean services.ocr?",
        ),
    ],
)
def test_a_misspelt_setting_of_a_service_is_one_line(arguments: tuple[str, ...], expected: str) -> None:
    fails_in_one_line(diptych(*arguments), expected)
