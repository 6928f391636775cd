"""The `diptych` command with this repository's services: their routes, and errors in their settings."""

from __future__ import annotations

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
        ("services.batch.tasks.ocr_extrakt.dpi=1", "services.batch.tasks.ocr_extrakt belongs to no task type"),
        ("services.batch.tasks.llm.generate.base_urll=x", "llm.generate has no setting base_urll"),
        ("services.batch.lease_seconds=nan", "services.batch.lease_seconds: expected a finite number, got nan"),
        ("services.ocr.page_timeout=inf", "services.ocr.page_timeout: expected a finite number, got inf"),
        ("services.chat.broker=redis", "services.chat: broker = redis requires redis_url"),
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
