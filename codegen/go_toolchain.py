"""Puts Go into `build/go` where there is none, for CI; prints the folder of its `go`.

Go's module proxy serves the toolchain as the module golang.org/toolchain, whose archives never change. Debian's own Go
may be too old to download a newer one (before 1.21).
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import sys
import urllib.request
import zipfile
from pathlib import Path

VERSION = "v0.0.1-go1.26.8"
SHA256 = {
    "linux-amd64": "30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7",
    "linux-arm64": "02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99",
}
"""The digests of the archives."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_FOLDER = Path(__file__).parents[1] / "build" / "go"
_SECONDS = 120


def main() -> int:
    """Prints where `go` is; downloads it if there is none."""
    found = shutil.which("go")
    if found is None:
        machine = platform.machine()
        target = f"{platform.system().lower()}-{_ARCHITECTURES.get(machine, machine)}"
        if target not in SHA256:
            sys.stderr.write(f"there is no digest of Go for {target}: install Go, or add it to {Path(__file__).name}\n")
            return 1
        found = str(_installed(target))
    sys.stdout.write(f"{Path(found).parent}\n")
    return 0


def _installed(target: str) -> Path:
    """Returns the path of `go`, after downloading it. Raises OSError, and ValueError for another archive."""
    prefix = f"golang.org/toolchain@{VERSION}.{target}"
    root = _FOLDER / prefix
    if not (root / "bin" / "go").exists():
        archive = _download(target)
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            opened.extractall(_FOLDER)
        for folder in (root / "bin", root / "pkg" / "tool"):  # the archives of modules have no modes
            for file in folder.rglob("*"):
                file.chmod(0o755)
    return root / "bin" / "go"


def _download(target: str) -> bytes:
    proxy = next((one for one in os.environ.get("GOPROXY", "").replace("|", ",").split(",") if "://" in one), "")
    address = f"{proxy or 'https://proxy.golang.org'}/golang.org/toolchain/@v/{VERSION}.{target}.zip"
    with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
        archive: bytes = answer.read()
    if hashlib.sha256(archive).hexdigest() != SHA256[target]:
        raise ValueError(f"{address} is not the archive that was expected")
    return archive


if __name__ == "__main__":
    sys.exit(main())
