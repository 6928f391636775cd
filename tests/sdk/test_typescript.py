"""@artificer/client in Node 20 and in a headless Chromium, and in a stranger's project outside of the repository."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artificer._safe_methods import SAFE_METHODS
from codegen import npm
from codegen.typescript import PACKAGE, compile_all
from tests.chromium import chromium_in, find_chromium
from tests.clients.browser import page_server
from tests.docs.blocks import read
from tests.docs.running import Run
from tests.docs.terminal import Address, terminal
from tests.e2e.conftest import serving
from tests.sdk.contracts import methods
from tests.sdk.stranger import ROOT, checkout, npm_settings

pytestmark = pytest.mark.skipif(
    os.environ.get("TESTS_CLIENTS") != "required" and not npm.is_possible(), reason="the package needs Node and npm"
)
PAGE = read(ROOT / "docs" / "sdk" / "typescript.md")
SAFE = """
import { isSafe, services } from "@artificer/client";
const methods = Object.values(services).flatMap((service) => service.methods);
console.log(JSON.stringify(methods.map((one) => [`${one.parent.typeName}/${one.name}`, isSafe(one)])));
"""


@pytest.fixture(scope="module", autouse=True)
def package() -> None:
    """Compiles the package and its tests."""
    compile_all()


@pytest.fixture
def data_folders(tmp_path: Path) -> dict[str, str]:
    """The settings with which services keep their data in a test's folder."""
    return {f"DIPTYCH_SERVICES__{service}__DATA_DIR": str(tmp_path) for service in ("AI", "BATCH", "CHAT")}


def node_test(*names: str, **environment: str) -> None:
    """Runs test files with Node's runner."""
    files = [f"build/test/{name}.test.js" for name in names]
    npm.run("node", "--test", "--test-reporter=spec", *files, folder=PACKAGE, **environment)


def bundle(source: str, folder: Path) -> dict[str, int]:
    """Bundles a module for browsers; returns how many bytes of it came from which file of the package."""
    entry = PACKAGE / "build" / f"{folder.name}.js"  # within the package, where its own name is known
    entry.write_text(source)
    meta, output = folder / "meta.json", folder / "bundle.js"
    options = ("--bundle", "--minify", "--format=esm", f"--metafile={meta}", f"--outfile={output}", "--log-level=error")
    npm.run("node_modules/.bin/esbuild", entry, *options, folder=PACKAGE)
    entry.unlink()
    [made] = json.loads(meta.read_text())["outputs"].values()
    return {name.removeprefix("dist/"): one["bytesInOutput"] for name, one in made["inputs"].items()}


def table(server: dict[str, str]) -> list[dict[str, Any]]:
    """Returns the cases of all files."""
    files = sorted(Path(server["cases"]).glob("*.json"))
    return [case for file in files for case in json.loads(file.read_text())["cases"]]


def test_cases_in_node(artificer_cases: dict[str, str]) -> None:
    node_test("cases", ARTIFICER_CASES=json.dumps(artificer_cases))


@pytest.mark.skipif(
    os.environ.get("TESTS_BROWSER") != "required" and find_chromium() is None, reason="there is no Chromium here"
)
async def test_cases_in_a_page(artificer_cases: dict[str, str], tmp_path: Path) -> None:
    cases = table(artificer_cases)
    script = tmp_path / "browser.js"
    npm.run(
        *("node_modules/.bin/esbuild", "build/test/browser.js", "--bundle", "--format=iife", f"--outfile={script}"),
        folder=PACKAGE,
    )
    run = "([server, cases]) => Promise.all(['connect', 'grpc-web'].map((one) => runCases(one, server, cases)))"
    async with page_server() as server, chromium_in(tmp_path / "profile", any_certificate=True) as context:
        page = await context.new_page()
        await page.goto(server.origin)
        await page.add_script_tag(path=script)
        results: list[list[dict[str, Any]]] = await page.evaluate(run, [artificer_cases, cases])
    for result in results:
        assert [one for one in result if "failure" in one] == []
        assert len([one for one in result if "impossible" not in one]) > len(cases) / 2


def test_retries_errors_streams_and_helpers() -> None:
    node_test("retry", "client")


def test_a_gateway_that_is_killed(data_folders: dict[str, str]) -> None:
    command = [sys.executable, "-m", "diptych.cli", "serve", "artificer_services.app:create"]
    node_test("killed", ARTIFICER_SERVE=json.dumps(command), **data_folders)


def test_every_method_has_a_client_and_every_language_repeats_the_same() -> None:
    found = dict(json.loads(npm.run("node", "--input-type=module", "--eval", SAFE, folder=PACKAGE)))
    assert set(found) == set(methods())
    assert {name for name, is_safe in found.items() if is_safe} == set(SAFE_METHODS)


def test_a_bundle_has_only_the_services_that_it_uses(tmp_path: Path) -> None:
    one = bundle(
        'import { createClient, createTransport } from "@artificer/client";\n'
        'import { BatchService } from "@artificer/client/gen/artificer/batch/v1/batch_service_pb";\n'
        "globalThis.batch = createClient(BatchService, createTransport());\n",
        tmp_path,
    )
    assert contracts_in(one) == {"gen/artificer/batch/v1/batch_service_pb.js"}
    every = bundle('import { createArtificer } from "@artificer/client"; globalThis.a = createArtificer();\n', tmp_path)
    assert len(contracts_in(every)) >= len({name.split("/")[0] for name in methods()})


def contracts_in(bundled: dict[str, int]) -> set[str]:
    """Returns the generated files of which a bundle has at least one byte."""
    return {name for name, size in bundled.items() if name.startswith("gen/artificer/") and size}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Address]:
    with serving() as where:
        yield Address(where.http.removeprefix("http://"), where.grpc)


async def test_the_page_does_what_it_says(gateway: Address, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout", "sdk/typescript")
    checkout(tmp_path / "work", "examples/scan.pdf")
    environment = {**npm_settings(), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DIPTYCH": str(folder)}
    with terminal(tmp_path, environment) as shell:
        Run(shell, gateway, script=None).page(PAGE)
    if find_chromium() is None and os.environ.get("TESTS_BROWSER") != "required":
        return
    async with chromium_in(tmp_path / "profile") as context:
        page = await context.new_page()
        await page.goto(f"http://{gateway.http}/healthz")
        async with page.expect_console_message(lambda message: "ocr.extract" in message.text):
            await page.add_script_tag(path=tmp_path / "work" / "bundle.js", type="module")
