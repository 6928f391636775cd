"""Lays google/api and google/rpc protos from the installed googleapis-common-protos where buf looks for them.

buf modules live inside the workspace, and buf's registry is not reached when building.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from google import api

# What the contracts import, and what those files import in turn. google/protobuf/* comes with buf itself.
NAMES = (
    "google/api/annotations.proto",
    "google/api/field_behavior.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)


def lay(root: Path) -> None:
    """Copy the protos to `root`/build/googleapis."""
    source = Path(next(iter(api.__path__))).parent.parent
    for name in NAMES:
        target = root / "build" / "googleapis" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)


if __name__ == "__main__":
    lay(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
