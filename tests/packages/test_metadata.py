"""The contents and metadata of the sdists and wheels."""

from __future__ import annotations

import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from .environments import ROOT

PACKAGES = {"artificer": "artificer", "artificer_services": "artificer_services", "diptych": "diptych"}
"""The package of each distribution, by the distribution's name as its files spell it."""
PROTOS = sorted(path.relative_to(ROOT / "proto").as_posix() for path in (ROOT / "proto").rglob("*.proto"))

every_distribution = pytest.mark.parametrize("name", PACKAGES)


def wheel(dist: Path, name: str) -> zipfile.ZipFile:
    (found,) = dist.glob(f"{name}-*.whl")
    return zipfile.ZipFile(found)


def metadata(dist: Path, name: str) -> Message:
    with wheel(dist, name) as opened:
        (found,) = (one for one in opened.namelist() if one.endswith(".dist-info/METADATA"))
        return message_from_bytes(opened.read(found))


def in_sdist(dist: Path, name: str) -> set[str]:
    (found,) = dist.glob(f"{name}-*.tar.gz")
    with tarfile.open(found) as opened:
        return {one.partition("/")[2] for one in opened.getnames()}


@every_distribution
def test_metadata_is_complete_for_an_index(dist: Path, name: str) -> None:
    told = metadata(dist, name)
    assert told["License-Expression"] == "Apache-2.0"
    assert told["License-File"] == "LICENSE"
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    assert told["Summary"]
    classifiers = told.get_all("Classifier") or []
    for python in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {python}" in classifiers
    assert "Typing :: Typed" in classifiers


@every_distribution
def test_packages_have_their_files_and_no_tests(dist: Path, name: str) -> None:
    with wheel(dist, name) as opened:
        inside = set(opened.namelist())
    assert f"{PACKAGES[name]}/py.typed" in inside
    assert {one.partition("/")[0].partition("-")[0] for one in inside} == {PACKAGES[name]}
    assert {"LICENSE", "README.md", "pyproject.toml", f"{PACKAGES[name]}/py.typed"} <= in_sdist(dist, name)


def test_protos_are_packaged_with_their_generated_code(dist: Path) -> None:
    assert PROTOS
    with wheel(dist, "artificer") as opened:
        inside = set(opened.namelist())
        for proto in PROTOS:
            assert opened.read(proto) == (ROOT / "proto" / proto).read_bytes()
    for proto in PROTOS:
        module = proto.removesuffix(".proto") + "_pb2"
        beside = {f"{module}.py", f"{module}.pyi", f"{module}_grpc.py", f"{module}.comments.json"}
        assert {proto, *beside} <= inside & in_sdist(dist, "artificer")


def test_services_ship_their_pages_and_migrations(dist: Path) -> None:
    top = ROOT / "services"
    folders = [*top.rglob("page"), *top.rglob("migrations")]
    ours = {path.relative_to(top).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()}
    ours = {one for one in ours if "__pycache__" not in one and not one.startswith("build/")}
    assert ours
    with wheel(dist, "artificer_services") as opened:
        assert ours <= set(opened.namelist())
    assert ours <= in_sdist(dist, "artificer_services")
