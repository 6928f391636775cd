"""The ten tasks of the cookbook in four languages, against the real gateway; what they print is what the page shows."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from codegen import npm
from codegen.typescript import PACKAGE, compile_all
from tests.docs import cookbook
from tests.docs.blocks import ROOT
from tests.docs.running import WRITTEN
from tests.docs.terminal import terminal
from tests.e2e.conftest import Served, serving
from tests.sdk.golang import MODULE, NEEDS_GO, RELAY, go

NEEDS_NODE = pytest.mark.skipif(
    os.environ.get("TESTS_CLIENTS") != "required" and not npm.is_possible(), reason="there is no Node and npm"
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    with serving() as where:
        yield where


@pytest.fixture
def work(gateway: Served, tmp_path: Path) -> Iterator[Path]:
    """A folder with the files of the tasks; afterwards the gateway has no collections again."""
    folder = tmp_path / "work"
    (folder / "examples").mkdir(parents=True)
    shutil.copyfile(ROOT / "examples" / "scan.pdf", folder / "examples" / "scan.pdf")
    npm.run("bash", "-c", cookbook.FILES, folder=folder)
    yield folder
    assert (folder / "searchable.pdf").read_bytes().startswith(b"%PDF-")
    assert (folder / "photo.webp").read_bytes()[8:12] == b"WEBP"
    httpx2.delete(f"{gateway.http}/v1/collections/minutes?force=true", timeout=60).raise_for_status()


def addresses(gateway: Served) -> dict[str, str]:
    """The variables that tell the clients where the gateway is."""
    return {"ARTIFICER_BASE_URL": gateway.http, "ARTIFICER_TARGET": gateway.grpc}


def compare(printed: str) -> None:
    """Fails with the tasks that printed something else than the page shows."""
    found = cookbook.outputs(printed)
    assert len(found) == len(cookbook.TASKS)
    expected = [
        task.output.strip() if task.output else printed for task, printed in zip(cookbook.TASKS, found, strict=True)
    ]
    assert found == expected


def test_there_are_ten_tasks() -> None:
    assert len(cookbook.TASKS) == 10


def test_curl(gateway: Served, work: Path) -> None:
    blocks = [chapter.blocks["sh"].code for chapter in (cookbook.SETUP, *cookbook.TASKS)]
    with terminal(work.parent, {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}) as shell:
        setup, *printed = [
            shell.run(code.replace(WRITTEN.http, gateway.http.removeprefix("http://"))) for code in blocks
        ]
    assert setup == ""
    assert "Invoice number 20261121" in json.loads(printed[0])["text"]
    assert printed[2].split() == (cookbook.TASKS[2].output or "").split()
    assert '"JOB_STATUS_COMPLETED"' in printed[4]
    assert "the job was started" not in printed[5]
    assert "the job is completed: 2 of 2 items" in printed[5]
    assert "1,200 euros" in printed[6]
    assert '"citation"' in printed[7]
    assert '"finishReason"' in printed[8]
    assert '"phases[0].task_type"' in printed[9]
    assert "DEADLINE_EXCEEDED" in printed[9]


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_python(transport: str, gateway: Served, work: Path) -> None:
    program = cookbook.python().replace("Artificer()", f'Artificer(transport="{transport}")')
    (work / "cookbook.py").write_text(program)
    compare(npm.run(sys.executable, "cookbook.py", folder=work, **addresses(gateway)))


@NEEDS_NODE
def test_typescript(gateway: Served, work: Path) -> None:
    compile_all()
    modules = work / "node_modules" / "@artificer"
    modules.mkdir(parents=True)
    (modules / "client").symlink_to(PACKAGE)
    (work / "package.json").write_text('{"type": "module"}')
    (work / "cookbook.ts").write_text(cookbook.typescript())
    options = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--types", "node")
    types = PACKAGE / "node_modules" / "@types"
    npm.run(PACKAGE / "node_modules" / ".bin" / "tsc", *options, "--typeRoots", types, "cookbook.ts", folder=work)
    compare(npm.run("node", "cookbook.js", folder=work, **addresses(gateway)))


@NEEDS_GO
def test_go(gateway: Served, work: Path) -> None:
    module = (RELAY / "go.mod").read_text().replace("../../sdk/go", str(MODULE))
    (work / "go.mod").write_text(module)
    shutil.copyfile(RELAY / "go.sum", work / "go.sum")
    (work / "main.go").write_text(cookbook.go())
    go("vet", ".", folder=work)
    compare(go("run", ".", folder=work, **addresses(gateway)))
