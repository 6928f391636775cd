"""Generators of clients read our documents and a large one of Google's; their code compiles, and calls a server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Served
from tests.generators import ready
from tests.generators.ready import BUILD, HERE, MADE, PYTHON, jar, run, tool

pytestmark = pytest.mark.skipif(
    os.environ.get("TESTS_CLIENTS") != "required" and not ready.is_possible(),
    reason=f"the generators need {', '.join(ready.TOOLS)}",
)

DOCUMENTS = ("own", "kitchen", "container")
EXPECTED = "7 Stew 2 404"
# Names of an enum's values are unique in the enum only.
_JVM: Mapping[str, dict[str, Any]] = {
    "go": {"packageName": "client", "additionalProperties": {"enumClassPrefix": True}},
    # The annotation that says which code is generated is in no library that the generator ships.
    "java": {
        "library": "native",
        "templateDir": str(HERE / "templates"),
        "additionalProperties": {"openApiNullable": False, "useJakartaEe": False},
    },
    "python": {"packageName": "client"},
    "typescript-fetch": {},
}


@pytest.fixture(scope="module")
def documents() -> Mapping[str, Path]:
    ready.make_ready()
    shutil.rmtree(MADE, ignore_errors=True)
    return ready.make_documents()


@pytest.fixture(scope="module")
def made(documents: Mapping[str, Path]) -> Path:
    """What openapi-generator makes of all documents, in one process."""
    files = []
    parts = ("apiTests", "modelTests", "apiDocs", "modelDocs")
    for document, path in documents.items():
        for generator, options in _JVM.items():
            told = {"generatorName": generator, "inputSpec": str(path), "outputDir": str(MADE / document / generator)}
            files.append(BUILD / f"{document}-{generator}.json")
            files[-1].write_text(json.dumps({**told, **options, "globalProperties": dict.fromkeys(parts, "false")}))
    printed = run("java", "-XX:TieredStopAtLevel=1", "-jar", jar(), "batch", "--fail-fast", *files)
    assert f"{len(files)} generators successfully" in printed
    return MADE


async def calls(served: Served, *command: str | Path, folder: Path = HERE, **environment: str) -> str:
    """Returns what a program printed that is told the server's address."""
    address = f"http://127.0.0.1:{served.gateway.http_port}"
    return (await asyncio.to_thread(run, *command, address, folder=folder, **environment)).strip()


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("variant", ["client", "whole"])
def test_linters_report_no_error(documents: Mapping[str, Path], document: str, variant: str) -> None:
    path = documents[document].with_name(f"{document}.{variant}.json")
    run(tool("redocly"), "lint", "--extends=recommended", path, REDOCLY_TELEMETRY="off")
    run(tool("spectral"), "lint", "--ruleset", "spectral.yaml", "--fail-severity=error", path)


async def test_typescript(documents: Mapping[str, Path], made: Path, served: Served) -> None:
    for document, path in documents.items():
        run(tool("openapi-typescript"), path, "-o", made / document / "types" / "index.ts")
        run(tool("openapi-ts"), "-i", path, "-o", made / document / "hey", "-c", "@hey-api/client-fetch")
        run(tool("orval"), "--input", path, "--output", made / document / "orval" / "index.ts", "--client", "fetch")
    run(tool("tsc"), "-p", "tsconfig.json")
    for name in ("hey", "fetch"):
        bundle = BUILD / f"{name}.mjs"
        run(tool("esbuild"), f"src/{name}.ts", "--bundle", "--platform=node", "--format=esm", f"--outfile={bundle}")
        assert await calls(served, "node", bundle) == EXPECTED


async def test_go(made: Path, served: Served) -> None:
    for document in DOCUMENTS:
        folder = made / document / "go"
        shutil.rmtree(folder / "test", ignore_errors=True)
        if document == "kitchen":
            (folder / "call").mkdir()
            shutil.copy(HERE / "src" / "main.go.txt", folder / "call" / "main.go")
        run("go", "build", "./...", folder=folder, GOFLAGS="-mod=mod")
    assert await calls(served, "go", "run", "./call", folder=made / "kitchen" / "go") == EXPECTED


async def test_java(made: Path, served: Served) -> None:
    for document in DOCUMENTS:
        sources = [*(made / document / "java" / "src" / "main").rglob("*.java")]
        if document == "kitchen":
            sources.append(HERE / "src" / "Call.java")
        (BUILD / "sources").write_text("\n".join(map(str, sources)))
        classes = made / document / "classes"
        run("javac", "-nowarn", "-proc:none", "-cp", jar(), "-d", classes, f"@{BUILD / 'sources'}")
    path = os.pathsep.join(map(str, [made / "kitchen" / "classes", jar()]))
    assert await calls(served, "java", "-cp", path, "Call") == EXPECTED


async def test_python(made: Path, served: Served) -> None:
    for document in DOCUMENTS:
        run(PYTHON, "-W", "error", "-m", "compileall", "-q", made / document / "python")
    script = HERE / "src" / "python.txt"
    assert await calls(served, PYTHON, script, PYTHONPATH=str(made / "kitchen" / "python")) == EXPECTED


async def test_openapi_python_client(documents: Mapping[str, Path], served: Served) -> None:
    path = os.pathsep.join([str(PYTHON.parent), os.environ["PATH"]])  # it formats with its own ruff
    command = (PYTHON, "-m", "openapi_python_client", "generate", "--fail-on-warning")
    for document in DOCUMENTS:
        folder = MADE / document / "openapi-python-client"
        run(*command, "--path", documents[document], "--output-path", folder, PATH=path)
        run(PYTHON, "-W", "error", "-m", "compileall", "-q", folder)
    script = HERE / "src" / "openapi-python-client.txt"
    assert await calls(served, PYTHON, script, PYTHONPATH=str(folder.parents[1] / "kitchen" / folder.name)) == EXPECTED
