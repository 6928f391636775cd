"""The imports between the rooms of docs/architecture.md, read from the source.

A room of the gateway imports only from lower floors, also for types. No modules import one another in a circle, between
rooms or inside one. No service imports another, an engine and a store import neither gRPC nor protobuf, and the gateway
imports no service.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway" / "diptych"
SERVICES = ROOT / "services" / "artificer_services"

FLOORS = [
    # `status` is lowest, since `metadata` on the next floor raises the error value too.
    ["status", "probe", "process", "addresses", "extras", "outages", "protoc_plugin", "deferred"],
    ["template", "fields", "metadata", "origin", "settings", "forwarded", "upstream", "media", "compression"],
    ["rules", "codec", "dialects", "methods", "telemetry", "tls", "readiness", "capacity"],
    ["routes", "bind", "reply", "framing", "call", "openapi", "standard"],
    ["exchange"],
    ["faces.session"],
    ["faces.rest", "faces.websocket", "faces.rpc", "auth", "limits"],
    ["http_server", "rpc_server"],
    ["gateway"],
    ["workers"],
    ["cli"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def imported(path: Path, top: Path) -> Iterator[str]:
    """Yields the modules and names that a file imports as full dotted names; `top` is the folder of the package."""
    package = path.relative_to(top).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
            else:
                base = [node.module or ""]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def room_of(name: str) -> str | None:
    """Returns the gateway's room of a full name; "" for the package itself, None for names outside it."""
    parts = name.split(".")
    if parts[0] != "diptych":
        return None
    deep = ".".join(parts[1:3])
    if deep in FLOOR:
        return deep
    return parts[1] if len(parts) > 1 and parts[1] in FLOOR else ""


def own_room(path: Path) -> str:
    """Returns the room of a file of the gateway: a module, a folder, or a folder of `faces`."""
    parts = path.relative_to(GATEWAY).with_suffix("").parts
    return ".".join(parts[:2]) if parts[0] == "faces" else parts[0]


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_every_room_has_a_floor() -> None:
    assert {own_room(path) for path in sources(GATEWAY)} - {"__init__", "faces.__init__"} <= FLOOR.keys()


@pytest.mark.parametrize("path", sources(GATEWAY), ids=lambda path: str(path.relative_to(GATEWAY)))
def test_a_room_imports_from_lower_floors_only(path: Path) -> None:
    room = own_room(path)
    allowed = (
        {"gateway", "settings", "auth", "readiness"}
        if room.endswith("__init__")
        else {one for one in FLOOR if FLOOR[one] < FLOOR[room]}
    )
    asked = {(name, room_of(name)) for name in imported(path, GATEWAY.parent)}
    assert not sorted(name for name, found in asked if found is not None and found not in {*allowed, room})


def graph(folder: Path) -> dict[str, set[str]]:
    """The modules below a package and the ones among them that each imports, type-only and late imports included."""
    modules = {module_name(path, folder.parent): path for path in sources(folder)}

    def module_of(name: str) -> str:
        return name if name in modules else name.rpartition(".")[0]  # a module, or a name in one

    return {
        name: {module_of(one) for one in imported(path, folder.parent)} & modules.keys()
        for name, path in modules.items()
    }


def module_name(path: Path, top: Path) -> str:
    return ".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__")


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle, or an empty list."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as found:
        modules: list[str] = found.args[1]
        return modules
    return []


@pytest.mark.parametrize("folder", [GATEWAY, SERVICES], ids=lambda folder: folder.name)
def test_no_modules_import_one_another_in_a_circle(folder: Path) -> None:
    assert not circle(graph(folder))


def test_a_type_only_circle_is_found(tmp_path: Path) -> None:
    room = tmp_path / "diptych" / "room"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("from .a import A")
    (room / "a.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import B")
    (room / "b.py").write_text("from . import a")
    assert set(circle(graph(tmp_path / "diptych"))) == {"diptych.room.a", "diptych.room.b"}


@pytest.mark.parametrize("path", sources(GATEWAY), ids=lambda path: str(path.relative_to(GATEWAY)))
def test_the_gateway_knows_no_service(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path, GATEWAY.parent)}
    assert not tops & {"artificer", "artificer_services", "kitchen", "tests", "bench", "codegen"}


ROOTS = {"app.py", "readers.py", "asset_jobs.py", "ai_tasks.py"}  # compose several services
SHARED = {"kit"}  # all services may import this; it imports none


@pytest.mark.parametrize("path", sources(SERVICES), ids=lambda path: str(path.relative_to(SERVICES)))
def test_a_service_imports_no_other(path: Path) -> None:
    own = path.relative_to(SERVICES).parts[0]
    services = {folder.name for folder in SERVICES.iterdir() if folder.is_dir()} - (SHARED - {own})
    parts = [name.split(".") for name in imported(path, SERVICES.parent)]
    met = {part[1] for part in parts if part[0] == "artificer_services" and len(part) > 1}
    if own not in ROOTS:
        assert not met & (services | {root.removesuffix(".py") for root in ROOTS}) - {own}


PURE = [path for path in sources(SERVICES) if path.stem.rpartition("_")[2] in ("engine", "store")]


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(SERVICES)))
def test_an_engine_and_a_store_know_neither_grpc_nor_protobuf(path: Path) -> None:
    names = list(imported(path, SERVICES.parent))
    assert not [
        name for name in names if name.partition(".")[0] in ("grpc", "grpc_status", "google", "artificer", "diptych")
    ]


def test_the_checks_find_sources() -> None:
    assert PURE
    assert len(sources(GATEWAY)) > len(FLOOR)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import a.b", ["a.b"]),
        ("from ..status import Code", ["diptych.status.Code"]),
        ("from . import x", ["diptych.codec.x"]),
        ("from .x import y", ["diptych.codec.x.y"]),
        ("from .. import template", ["diptych.template"]),
        ("if TYPE_CHECKING:\n    from diptych.gateway import Gateway", ["diptych.gateway.Gateway"]),
        ("def f():\n    import diptych.cli", ["diptych.cli"]),
    ],
)
def test_imports_are_read_in_every_form(text: str, names: list[str], tmp_path: Path) -> None:
    file = tmp_path / "diptych" / "codec" / "room.py"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert list(imported(file, tmp_path)) == names
