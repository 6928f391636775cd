"""Copies protos to where other tools look for them.

google/api and google/rpc are copied from the installed googleapis-common-protos into a module of this buf workspace,
because builds do not reach buf's registry and buf accepts only modules inside the workspace. With `--contracts`, our
protos are copied next to the modules generated from them, so that `protoc -I site-packages` finds them in `artificer`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from google import api

ROOT = Path(__file__).parents[1]
# The files that the contracts import, directly and indirectly. google/protobuf/* comes with buf itself.
NAMES = (
    "google/api/annotations.proto",
    "google/api/field_behavior.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)


def lay_google(root: Path) -> None:
    """Copies Google's protos to `root`/build/googleapis."""
    source = Path(next(iter(api.__path__))).parent.parent
    for name in NAMES:
        _copy(source / name, root / "build" / "googleapis" / name)


def lay_contracts(root: Path) -> None:
    """Copies `root`/proto into the distribution of the generated code, and removes copies of deleted files."""
    source, target = root / "proto", root / "sdk" / "python"
    for copy in (target / "artificer").rglob("*.proto"):
        copy.unlink()
    for proto in source.rglob("*.proto"):
        _copy(proto, target / proto.relative_to(source))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


if __name__ == "__main__":
    lay_google(ROOT)
    if "--contracts" in sys.argv[1:]:
        lay_contracts(ROOT)
