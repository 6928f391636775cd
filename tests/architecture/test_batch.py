"""The imports between the packages of the batch service, including type-only imports.

`tests/architecture/test_imports.py` checks those between services.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.test_imports import SERVICES, imported, sources

BATCH = SERVICES / "batch"
ALLOWED: dict[str, set[str]] = {
    "settings": set(),
    "tasks": {"settings"},
    "jobs": {"settings", "tasks"},
    "store": {"settings", "jobs"},
    "api": {"settings", "jobs", "tasks"},
    "worker": {"settings", "jobs", "tasks", "store"},
    "build": {"settings", "jobs", "tasks", "store", "api", "worker"},
    "celery_app": {"settings", "jobs", "tasks", "store", "worker"},
}
PROTOCOLS = {"grpc", "grpc_status", "google", "artificer", "fastapi"}


def room_of(path: Path) -> str:
    return path.relative_to(BATCH).with_suffix("").parts[0]


FILES = [path for path in sources(BATCH) if room_of(path) != "__init__"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BATCH)))
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    own = room_of(path)
    names = [name.split(".") for name in imported(path, SERVICES.parent)]
    met = {name[2] for name in names if name[:2] == ["artificer_services", "batch"] and len(name) > 2}
    assert not met - {own} - ALLOWED[own]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BATCH)))
def test_only_the_api_knows_grpc_and_protobuf(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path, SERVICES.parent)}
    assert room_of(path) in ("api", "build") or not tops & PROTOCOLS
