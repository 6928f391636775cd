"""The built site: strict, complete, searchable, and without requests to other hosts."""

from __future__ import annotations

import functools
import http.server
import inspect
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import sync_playwright

import artificer
from artificer._sync.api.root import Root
from tests.chromium import find_chromium
from tests.docs.blocks import ROOT

LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)\"|<link\b[^>]*\bhref=\"([^\"]+)\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as by `make docs`, but from a copy, since a build writes next to its sources."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copyfile(ROOT / "mkdocs.yml", folder / "mkdocs.yml")
    shutil.copytree(ROOT / "docs", folder / "docs")
    (folder / "sdk").symlink_to(ROOT / "sdk")  # whose docstrings are the reference
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


def test_every_page_is_in_the_navigation(site: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md", navigation)) == pages


def test_pages_load_nothing_from_another_host(site: Path) -> None:
    loaded = {
        address
        for page in site.rglob("*.html")
        for found in LOADED.findall(page.read_text(encoding="utf-8"))
        for address in found
    }
    assert {address for address in loaded if re.match(r"(\w+:)?//", address)} == set()


def test_comments_for_the_tests_are_not_shown(site: Path) -> None:
    shown = re.sub(r"<!--.*?-->", "", (site / "tutorial.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "test: output" not in shown


def test_the_reference_has_every_method_of_the_python_client(site: Path) -> None:
    reference = "".join(page.read_text(encoding="utf-8") for page in (site / "sdk" / "reference").glob("*.html"))
    described = set(re.findall(r'id="artificer\._sync\.\w+\.\w+\.(\w+\.\w+)"', reference))
    assert {name for name in methods(Root(cast("Any", None))) if name not in described} == set()


def test_the_reference_has_every_class_that_the_python_client_exports(site: Path) -> None:
    reference = "".join(page.read_text(encoding="utf-8") for page in (site / "sdk" / "reference").glob("*.html"))
    described = set(re.findall(r'id="artificer\.[\w.]*\b(\w+)"', reference))
    classes = {name for name in artificer.__all__ if inspect.isclass(getattr(artificer, name))}
    assert {name for name in classes if name.removeprefix("Async") not in described} == set()


def methods(resource: Any) -> Iterator[str]:
    """Yields `Class.method` of the public methods of a resource, and of all resources below it."""
    for name in dir(type(resource)):
        value = inspect.getattr_static(resource, name)
        if isinstance(value, cached_property):
            yield from methods(getattr(resource, name))
        elif inspect.isfunction(value) and not name.startswith("_"):
            yield f"{type(resource).__name__}.{name}"


def test_search_index_has_every_page(site: Path) -> None:
    index = json.loads((site / "search.json").read_text(encoding="utf-8"))
    found = {entry["location"].partition("#")[0] for entry in index["items"]}
    assert {page.relative_to(site).as_posix() for page in site.rglob("*.html")} - {"404.html"} <= found


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The site on a port of this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.browser
def test_a_browser_searches_the_site_without_other_hosts(served: str) -> None:
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"{served}/index.html")
            page.keyboard.press("/")
            page.keyboard.type("lingering close")
            page.get_by_role("link", name=re.compile("Vocabulary|From HTTP")).last.wait_for()
        finally:
            browser.close()
    assert [address for address in asked if not address.startswith((served, "data:", "blob:"))] == []
