"""The imports between the rooms of the larger services, including type-only imports.

`tests/architecture/test_imports.py` checks those between services.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.test_imports import SERVICES, imported, sources

ALLOWED: dict[str, dict[str, set[str]]] = {
    "batch": {
        "settings": set(),
        "tasks": {"settings"},
        "jobs": {"settings", "tasks"},
        "store": {"settings", "jobs"},
        "api": {"settings", "jobs", "tasks"},
        "worker": {"settings", "jobs", "tasks", "store"},
        "build": {"settings", "jobs", "tasks", "store", "api", "worker"},
        "celery_app": {"settings", "jobs", "tasks", "store", "worker"},
    },
    "ai": {
        "models": set(),
        "reading": set(),
        "library": {"models", "reading"},
        "grounding": {"models", "library"},
        "conversations": {"models", "library", "grounding"},
        "settings": {"models", "reading", "library", "conversations"},
        "servicers": {"models", "reading", "library", "grounding", "conversations", "settings"},
        "tasks": {"models", "reading", "library", "grounding", "settings"},
        "build": {"models", "reading", "library", "grounding", "conversations", "settings", "servicers"},
    },
}
SPEAKERS = {"batch": {"api", "build"}, "ai": {"servicers", "build"}}  # the rooms that know gRPC and protobuf
PROTOCOLS = {"grpc", "grpc_status", "google", "artificer", "fastapi"}


def room_of(path: Path) -> str:
    return path.relative_to(SERVICES).with_suffix("").parts[1]


FILES = [path for name in ALLOWED for path in sources(SERVICES / name) if room_of(path) != "__init__"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SERVICES)))
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    service, own = path.relative_to(SERVICES).parts[0], room_of(path)
    names = [name.split(".") for name in imported(path, SERVICES.parent)]
    met = {name[2] for name in names if name[:2] == ["artificer_services", service] and len(name) > 2}
    assert not met - {own} - ALLOWED[service][own]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SERVICES)))
def test_only_the_api_knows_grpc_and_protobuf(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path, SERVICES.parent)}
    assert room_of(path) in SPEAKERS[path.relative_to(SERVICES).parts[0]] or not tops & PROTOCOLS
