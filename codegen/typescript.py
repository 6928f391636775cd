"""Generates the messages of the TypeScript package, compiles the package strictly, and writes down what it exports.

`python -m codegen.typescript generate`, `… check` and `… surface` need Node and npm. Without these they do nothing and
say so, unless the environment variable TESTS_CLIENTS is `required`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from codegen import declarations, npm

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sdk" / "typescript"
PROJECTS = ("tsconfig.json", "tsconfig.test.json")
SNAPSHOT = PACKAGE / "api.txt"
_HEAD = "# What @artificer/client exports. `make surface` writes this file; CHANGELOG.md names what is removed.\n"


def generate() -> None:
    """Writes sdk/typescript/src/gen from the protos. Raises RuntimeError with the tool's message if it fails."""
    npm.install(PACKAGE)
    npm.run(sys.executable, "codegen/lay.py", folder=ROOT)
    npm.run("buf", "generate", "--template", "buf.gen.typescript.yaml", folder=ROOT)


def compile_all() -> None:
    """Compiles the package to dist/ and its tests to build/test/. Raises RuntimeError with the compiler's errors."""
    npm.install(PACKAGE)
    sources = (path for folder in ("src", "test") for path in sorted((PACKAGE / folder).rglob("*.ts")))
    inputs = [PACKAGE / "package-lock.json", *(PACKAGE / project for project in PROJECTS), *sources]
    npm.once(PACKAGE / "build" / ".compiled", inputs, _compile)


def _compile() -> None:
    for output in ("dist", "build/test"):
        shutil.rmtree(PACKAGE / output, ignore_errors=True)
    for project in PROJECTS:
        npm.run("node_modules/.bin/tsc", "-p", project, folder=PACKAGE)


def surface() -> str:
    """Returns what the entry points of the compiled package export; those below `gen` follow from the protos."""
    package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    entries = {
        package["name"] + path.removeprefix("."): target["default"].replace("/dist", "")
        for path, target in package["exports"].items()
        if isinstance(target, dict) and "*" not in path
    }
    return _HEAD + declarations.api(PACKAGE / "dist", entries)


def write_surface() -> None:
    """Writes the snapshot of what the package exports. Raises RuntimeError with the compiler's errors."""
    compile_all()
    SNAPSHOT.write_text(surface(), encoding="utf-8")


def main(step: str) -> None:
    """Runs `generate`, `check` or `surface`."""
    if not npm.is_possible() and os.environ.get("TESTS_CLIENTS") != "required":
        missing = f"npm and Node {npm.OLDEST_NODE} or newer, which are missing here"
        print(f"The TypeScript package needs {missing}: its step '{step}' is left out.")
        return
    {"generate": generate, "check": compile_all, "surface": write_surface}[step]()


if __name__ == "__main__":
    main(*sys.argv[1:])
