"""grpc-gateway v2 in front of plain grpc.aio, built from the Go module proxy into build/ where there is a Go compiler.

Its plugins generate from the descriptors of the measured methods, so that there is no second .proto.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.compiler import plugin_pb2

from bench import ROOT
from bench.contract import measured
from bench.process import Server, Unavailable, first_line, server, started
from kitchen.v1 import kitchen_service_pb2 as pb

_SOURCES = Path(__file__).parent
_BUILD = ROOT / "build" / "grpc-gateway"
_PACKAGE = "diptych.bench/grpcgateway/kitchen"
# Go names a plugin's binary after the last part of its path.
_PLUGINS = ("protoc-gen-go", "protoc-gen-go-grpc", "protoc-gen-grpc-gateway")
# grpc-gateway reads a body of google.api.HttpBody as JSON, and not as raw bytes.
_WITHOUT = frozenset(("StoreBody",))


def binary() -> Path:
    """Returns the built program, building it first if it is not of these sources. Raises Unavailable without Go."""
    if shutil.which("go") is None:
        raise Unavailable("go is not on PATH")
    contract = measured(without=_WITHOUT)
    sources = [_SOURCES / name for name in ("main.go", "go.mod", "go.sum")]
    digest = hashlib.sha256(contract.SerializeToString(deterministic=True))
    for source in sources:
        digest.update(source.read_bytes())
    built = _BUILD / f"grpc-gateway-{digest.hexdigest()[:12]}"
    if not built.exists():
        shutil.rmtree(_BUILD, ignore_errors=True)
        _BUILD.mkdir(parents=True)
        for source in sources:
            shutil.copy(source, _BUILD)
        _go("install", "tool")
        request = plugin_pb2.CodeGeneratorRequest(
            file_to_generate=[pb.DESCRIPTOR.name],
            parameter=f"module={_PACKAGE},M{pb.DESCRIPTOR.name}={_PACKAGE}",
            proto_file=contract.file,
        )
        for plugin in _PLUGINS:
            _generate(plugin, request)
        _go("build", "-o", built.name, ".")
    return built


def _go(*arguments: str) -> None:
    # Without the user's workspace, if there is one: it would replace the pinned versions.
    env = {**os.environ, "GOBIN": str(_BUILD / "bin"), "GOWORK": "off"}
    done = subprocess.run(["go", *arguments], cwd=_BUILD, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"go {arguments[0]} failed: {done.stderr.strip().splitlines()[-1]}")


def _generate(plugin: str, request: plugin_pb2.CodeGeneratorRequest) -> None:
    done = subprocess.run([_BUILD / "bin" / plugin], input=request.SerializeToString(), capture_output=True, check=True)
    response = plugin_pb2.CodeGeneratorResponse.FromString(done.stdout)
    if response.error:
        raise Unavailable(f"{plugin}: {response.error}")
    folder = _BUILD / "kitchen"
    folder.mkdir(exist_ok=True)
    for file in response.file:
        (folder / file.name).write_text(file.content, encoding="utf-8")


@contextlib.contextmanager
def grpc_gateway(name: str, core: int | None) -> Iterator[Server]:
    """Runs grpc.aio behind grpc-gateway. Raises Unavailable if it cannot be built."""
    program = binary()
    with server("grpc.aio", "grpcaio", core) as upstream, started([str(program), str(upstream.grpc)], core) as process:
        http = json.loads(first_line(process))["http"]
        yield Server(name, [process, *upstream.processes], http=http, grpc=upstream.grpc)
