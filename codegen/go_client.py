"""Generates the messages of the Go module, and checks Go's sources with gofmt and go vet.

`python -m codegen.go_client generate` and `… check` need Go. Without it they do nothing and say so, unless the
environment variable TESTS_GO is `required`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from codegen.npm import run

ROOT = Path(__file__).parents[1]
MODULES = (ROOT / "sdk" / "go", ROOT / "examples" / "go-relay", ROOT / "bench" / "sdk" / "go")


def is_possible() -> bool:
    """Returns whether there is a Go, or must be one."""
    return shutil.which("go") is not None or os.environ.get("TESTS_GO") == "required"


def generate() -> None:
    """Writes sdk/go/gen from the protos, with the plugins that sdk/go/go.mod names."""
    run(sys.executable, "codegen/lay.py", folder=ROOT)
    run("buf", "generate", "--template", "buf.gen.go.yaml", folder=ROOT)


def check() -> None:
    """Raises RuntimeError with what gofmt and go vet find."""
    for module in MODULES:
        if unformatted := run("gofmt", "-l", ".", folder=module):
            raise RuntimeError(f"run gofmt -w in {module.relative_to(ROOT)} for:\n{unformatted}")
        run("go", "vet", "./...", folder=module)


def main(step: str) -> None:
    """Runs `generate` or `check`."""
    if not is_possible():
        print(f"The Go module needs Go, which is missing here: its step '{step}' is left out.")
        return
    {"generate": generate, "check": check}[step]()


if __name__ == "__main__":
    main(*sys.argv[1:])
