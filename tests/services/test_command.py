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
