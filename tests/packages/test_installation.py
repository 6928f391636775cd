"""Each distribution is installed alone from its wheel into a clean environment of every supported Python found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .environments import Environment, output, pythons
from .test_metadata import PROTOS

PYTHONS = pythons()

IMPORT_ALL = """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("error")
for name in sys.argv[1:]:
    importlib.import_module(name)
"""

OFFLINE = """
from artificer import APIConnectionError, Artificer
try:
    Artificer(base_url="http://127.0.0.1:1", max_retries=0).models.get("m")
except APIConnectionError as error:
    print(error.message.partition(":")[0])
"""


@pytest.fixture(params=PYTHONS)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    return Environment.make(PYTHONS[request.param], tmp_path)


def test_each_distribution_installs_without_the_others(environment: Environment, dist: Path) -> None:
    """One environment for all three; each test reuses the third-party packages of the previous one."""
    environment.install("artificer", dist=dist)
    artificer(environment)
    environment.pip("uninstall", "--quiet", "--yes", "artificer")
    environment.install("diptych", dist=dist)
    assert not {name for name in environment.distributions() if name.startswith("artificer")}
    diptych(environment)
    environment.install("artificer-services", dist=dist)
    services(environment)


def artificer(environment: Environment) -> None:
    """Its modules can be imported, and other protos can import its protos."""
    modules = [proto.removesuffix(".proto").replace("/", ".") + "_pb2_grpc" for proto in PROTOS]
    environment.run("python", "-c", IMPORT_ALL, *modules)
    assert {"artificer", "grpcio", "httpx2", "protobuf", "pydantic", "websockets"} <= environment.distributions()
    assert not {"artificer-services", "diptych", "rich", "typer"} & environment.distributions()
    assert environment.run("python", "-c", OFFLINE).strip() == "the server cannot be reached"
    (environment.top / "mine.proto").write_text(f'syntax = "proto3";\nimport "{PROTOS[0]}";\n')
    includes = (f"-I{environment.top}", f"-I{environment.site_packages()}")
    command = (sys.executable, "-m", "grpc_tools.protoc", *includes, "--descriptor_set_out=/dev/null", "mine.proto")
    output(*command, cwd=environment.top, env={})


def diptych(environment: Environment) -> None:
    """Both of its programs run without an extra, and protoc finds the second one by its name."""
    assert environment.run("diptych", "--version").startswith("diptych ")
    (environment.top / "mine.proto").write_text('syntax = "proto3";\n// A cup.\nmessage Cup {}\n')
    command = (sys.executable, "-m", "grpc_tools.protoc", f"-I{environment.top}", "--diptych_out=.", "mine.proto")
    output(*command, cwd=environment.top, env={"PATH": str(environment.top / "venv" / "bin")})
    assert "A cup." in (environment.top / "mine_pb2.comments.json").read_text()


def services(environment: Environment) -> None:
    """The application can be created from settings, and the command runs."""
    assert "job" in environment.run("artificer", "--help").lower()
    assert "/v1/documents:process" in environment.run("diptych", "routes", "artificer_services.app:create")
