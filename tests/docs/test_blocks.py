"""Every block of code in the documentation, run as by a reader: page by page, in order."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import sync_playwright

from tests.chromium import find_chromium
from tests.docs.blocks import HOWS, KINDS, PAGES, ROOT, Page, read
from tests.docs.running import WRITTEN, Run
from tests.docs.terminal import Address, terminal
from tests.e2e.conftest import serving
from tests.waiting import wait_for

PAGES_READ = [read(path) for path in PAGES]
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONDONTWRITEBYTECODE": "1",
}


@pytest.fixture(scope="session")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's project with generated code, with which the how-tos begin."""
    project = tmp_path_factory.mktemp("greeter") / "work"
    shutil.copytree(ROOT / "examples" / "greeter", project)
    tutorial = read(ROOT / "docs" / "tutorial.md")
    generate = next(block.code for block in tutorial.blocks if "grpc_tools.protoc" in block.code)
    with terminal(project.parent, ENVIRONMENT) as shell:
        shell.run(generate)
    return project


@pytest.fixture(scope="session")
def greeter_server(greeter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server of that project, for pages that do not change it."""
    scratch = tmp_path_factory.mktemp("greeter-server")
    shutil.copytree(greeter, scratch / "work")
    with terminal(scratch, ENVIRONMENT) as shell:
        yield shell.serve("diptych serve app:create")


@pytest.fixture(scope="session")
def services_server() -> Iterator[Address]:
    """The server that `make serve` runs."""
    with serving() as where:
        wait_for(lambda: serves(where.http), passing=(httpx2.HTTPError,))
        yield Address(where.http.removeprefix("http://"), where.grpc)


def serves(http: str) -> bool:
    """Returns whether the readiness checks have passed once, as they have when a reader types the first command."""
    answer = httpx2.post(f"{http}/grpc.health.v1.Health/Check", json={}, timeout=30)
    return bool(answer.json() == {"status": "SERVING"})


def script(code: str, address: Address) -> None:
    """Runs JavaScript on a page of the server until it logs something; fails with the exception that it throws."""
    found = find_chromium()
    if found is None:
        assert os.environ.get("CI") is None, "the blocks of JavaScript need a Chromium"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            thrown: list[str] = []
            page.on("pageerror", lambda error: thrown.append(str(error)))
            page.goto(f"http://{address.http}/healthz")
            with page.expect_console_message():
                page.evaluate(f"() => {{ {code} }}")
            assert thrown == []
        finally:
            browser.close()


@pytest.mark.parametrize("page", [page for page in PAGES_READ if page.kind != "clean"], ids=lambda page: page.name)
def test_blocks_do_what_the_page_says(page: Page, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    address = request.getfixturevalue(f"{page.kind}_server") if page.kind else WRITTEN
    if page.kind == "greeter":
        shutil.copytree(request.getfixturevalue("greeter"), tmp_path / "work")
    if page.kind == "services":
        shutil.copytree(ROOT / "examples", tmp_path / "work" / "examples")
    with terminal(tmp_path, ENVIRONMENT) as shell:
        Run(shell, address, script).page(page)


@pytest.mark.parametrize("page", PAGES_READ, ids=lambda page: page.name)
def test_comments_have_known_words(page: Page) -> None:
    assert page.kind in KINDS
    assert {block.how for block in page.blocks} <= set(HOWS)
    assert [block.line for block in page.blocks if block.how == "none" and not block.reason] == []
