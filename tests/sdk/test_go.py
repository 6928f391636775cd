"""The Go client: its own tests with the race detector, among them the table of cases that all clients run."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from tests.sdk.golang import MODULE, NEEDS_GO, go
from tests.sdk.outcome import Line

pytestmark = NEEDS_GO
GATEWAY = [sys.executable, "-m", "diptych.cli", "serve", "artificer_services.app:create"]


def test_go_test(artificer_cases: Line) -> None:
    servers = {"ARTIFICER_CASES": json.dumps(artificer_cases), "ARTIFICER_GATEWAY": json.dumps(GATEWAY)}
    printed = go("test", "-race", "-count=1", "-timeout=5m", "-v", ".", folder=MODULE, **servers)
    assert printed.count("    --- PASS: TestSharedCases/") > 100
    assert "--- SKIP" not in printed


def test_the_versions_of_the_clients_are_the_same() -> None:
    written = (MODULE / "version.go").read_text()
    assert f'const Version = "{version("artificer").replace(".dev0", "-dev")}"' in written
