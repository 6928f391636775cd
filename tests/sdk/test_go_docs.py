"""docs/sdk/go.md, typed by a reader into an empty folder, with the server that `make serve` runs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import httpx2

from tests.docs.blocks import read
from tests.docs.running import Run
from tests.docs.terminal import Address, terminal
from tests.docs.test_blocks import serves
from tests.e2e.conftest import serving
from tests.sdk.golang import MODULE, NEEDS_GO, ROOT, go
from tests.waiting import wait_for

pytestmark = NEEDS_GO
PAGE = read(ROOT / "docs" / "sdk" / "go.md")


def environment() -> dict[str, str]:
    """Returns a reader's variables, and Go's caches, which the empty home would hide."""
    found = shutil.which("go")
    assert found is not None, "there is no go"
    told = json.loads(go("env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOFLAGS", folder=MODULE))
    path = os.pathsep.join([str(Path(found).parent), "/usr/bin", "/bin"])
    return {"PATH": path, "LANG": "C.UTF-8", "DIPTYCH": str(ROOT), **told}


def test_the_page_works_word_for_word(tmp_path: Path) -> None:
    with serving() as where, terminal(tmp_path, environment()) as shell:
        wait_for(lambda: serves(where.http), passing=(httpx2.HTTPError,))
        Run(shell, Address(where.http.removeprefix("http://"), where.grpc), script=None).page(PAGE)
        printed = shell.run('go run . "$DIPTYCH/examples/scan.pdf"')
        shell.run("go vet ./... && gofmt -l . >unformatted && ! grep . unformatted")
    assert "Invoice" in printed
