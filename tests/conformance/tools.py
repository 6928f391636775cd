"""The suites' programs, built from the Go module proxy once, and the files of their modules. It knows no case."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "build" / "conformance"
CONNECT = ("connectrpc.com/conformance", "v1.0.7", "cmd/connectconformance")
# The proxy has no later version under this name: the go.mod of newer tags does not fit Go's rules for v2 and above.
H2SPEC = ("github.com/summerwind/h2spec", "v2.2.1+incompatible", "cmd/h2spec")

GRPCURL = ("github.com/fullstorydev/grpcurl", "v1.9.4", "cmd/grpcurl")
INTEROP = ("google.golang.org/grpc", "v1.85.0", "interop/client")


def has_go() -> bool:
    """Whether Go is installed."""
    return shutil.which("go") is not None


def is_built(module: str, version: str, package: str) -> bool:
    """Whether a program has been built."""
    return (FOLDER / version / package.rpartition("/")[2]).exists()


def program(module: str, version: str, package: str) -> Path:
    """Returns the path of a program, after building it. Raises `CalledProcessError`."""
    folder = FOLDER / version
    path = folder / package.rpartition("/")[2]
    if not path.exists():
        env = {**os.environ, "GOBIN": str(folder)}
        subprocess.run(["go", "install", f"{module}/{package}@{version}"], env=env, check=True)
    return path


def connect_descriptors() -> Path:
    """Returns a file with the descriptors of the protos of Connect's suite. Raises `CalledProcessError`."""
    module, version, _ = CONNECT
    found = subprocess.run(
        ["go", "mod", "download", "-json", f"{module}@{version}"], stdout=subprocess.PIPE, check=True
    )
    protos = Path(json.loads(found.stdout)["Dir"], "proto")
    folder = protos / "connectrpc" / "conformance" / "v1"
    written = FOLDER / version / "descriptors.binpb"
    compiler = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={protos}", "--include_imports"]
    files = [str(folder / name) for name in ("service.proto", "server_compat.proto")]
    written.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*compiler, f"--descriptor_set_out={written}", *files], check=True)
    return written


def interop_descriptors() -> Path:
    """Returns a file with the descriptors of the services of gRPC's interop client. Raises `CalledProcessError`."""
    module, version, _ = INTEROP
    folder = FOLDER / version / "descriptors"
    written = folder / "descriptors.binpb"
    if not written.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = Path(__file__).with_name("interop_descriptors") / "main.go"
        (folder / "main.go").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "go.mod").write_text("module descriptors\n", encoding="utf-8")
        subprocess.run(["go", "get", f"{module}@{version}"], cwd=folder, check=True)
        written.write_bytes(subprocess.run(["go", "run", "."], cwd=folder, stdout=subprocess.PIPE, check=True).stdout)
    return written
