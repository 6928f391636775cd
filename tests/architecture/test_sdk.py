"""The imports between the rooms of the Python SDK, for type annotations too; see docs/architecture.md.

The files of `_sync` are made of those of `_async`, so only the latter are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.test_imports import ROOT, imported

SDK = ROOT / "sdk" / "python"
FLOORS = [
    ["errors", "_attempt", "_files", "_safe_methods", "_target", "_tls"],
    ["types", "_method", "_options", "_retry", "_events", "_status", "grpc"],
    ["_methods", "_requests", "_records", "_answer", "_rest", "_grpc", "steps"],
    ["_batch", "_pipeline"],
    ["_progress"],
    ["_async"],
    ["cli"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# For a method the types of its messages are arguments of its own type.
TYPES_ONLY = {("_method", "types")}
LIBRARIES = {
    "httpx2": {"_rest", "_async.rest", "_async.sockets"},
    "websockets": {"_async.platform", "_async.sockets"},
    "grpc": {"grpc", "_grpc", "_async.grpc", "_async.platform"},
    "typer": {"cli"},
    "rich": {"cli", "_progress"},
}
"""Which rooms know a library."""


def names_of(path: Path) -> str:
    return ".".join(path.relative_to(SDK / "artificer").with_suffix("").parts)


def sources() -> Iterator[Path]:
    for path in sorted((SDK / "artificer").rglob("*.py")):
        top = names_of(path).split(".")[0]
        if top in FLOOR:
            yield path


FILES = list(sources())


def rooms_met(path: Path) -> set[str]:
    found = set()
    for name in imported(path, SDK):
        parts = name.split(".")
        if parts[0] == "artificer" and len(parts) > 1:
            found.add(parts[1])
    return found


@pytest.mark.parametrize("path", FILES, ids=names_of)
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    own = names_of(path).split(".")[0]
    above = {room for room in rooms_met(path) - {own} if room in FLOOR and FLOOR[room] >= FLOOR[own]}
    assert not {room for room in above if (own, room) not in TYPES_ONLY}


def test_every_module_has_a_floor() -> None:
    tops = {names_of(path).split(".")[0] for path in (SDK / "artificer").rglob("*.py") if "v1" not in path.parts}
    assert tops - {"__init__", "_sync"} == set(FLOOR)


@pytest.mark.parametrize("library", LIBRARIES)
def test_few_rooms_know_a_library(library: str) -> None:
    knowing = {names_of(path) for path in FILES if any(name.split(".")[0] == library for name in imported(path, SDK))}
    allowed = LIBRARIES[library]
    assert {
        name for name in knowing if not any(name == room or name.startswith(f"{room}.") for room in allowed)
    } == set()


@pytest.mark.parametrize("room", ["_async", "grpc", "cli"])
def test_no_modules_of_a_room_import_one_another_in_a_circle(room: str) -> None:
    graph: dict[str, set[str]] = {}
    known = {names_of(path).removesuffix(".__init__") for path in FILES}
    for path in FILES:
        own = names_of(path).removesuffix(".__init__")
        if own.split(".")[0] == room:
            names = {name.removeprefix("artificer.") for name in imported(path, SDK) if name.startswith("artificer.")}
            met = {name if name in known else name.rpartition(".")[0] for name in names}
            graph[own] = {name for name in met if name not in {own, room} and name in known and not _makes(own, name)}
    TopologicalSorter(graph).prepare()  # raises CycleError


def _makes(module: str, other: str) -> bool:
    """Whether a generated resource imports, when it is first asked for it, one written by hand that extends another."""
    return module.startswith("_async.api.") and other.startswith("_async.resources.")
