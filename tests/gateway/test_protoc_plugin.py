"""`protoc-gen-diptych`, found by name by protoc and by buf: a stranger's comments reach the OpenAPI document."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from google import api

from diptych import Gateway

# Google's protos, where googleapis-common-protos installs them.
GOOGLE = Path(next(iter(api.__path__))).parents[1]
BIN = Path(sys.executable).parent

PROTO = """
edition = "2023";

package {package};

import "google/api/annotations.proto";

// Lends books.
service Library {{
  // GetBook finds a book by its number. It never waits.
  // buf:lint:ignore RPC_RESPONSE_STANDARD_NAME
  rpc GetBook(GetBookRequest) returns (Book) {{
    option (google.api.http) = {{get: "/v1/books/{{isbn}}"}};
  }}
}}

message GetBookRequest {{
  // The number on the back cover.
  string isbn = 1;
}}

// A book.
message Book {{
  string isbn = 1; // Printed in full.
}}
"""


def protoc(folder: Path, proto: str) -> list[str]:
    outputs = ["--python_out=out", "--diptych_out=out"]
    return [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"-I{GOOGLE}", *outputs, proto]


def buf(folder: Path, proto: str) -> list[str]:
    """buf reads the files of its own workspace only, so Google's protos are linked into it."""
    (folder / "google").symlink_to(GOOGLE / "google")
    (folder / "buf.yaml").write_text("version: v2\n")
    plugins = [
        {"protoc_builtin": "python", "protoc_path": [sys.executable, "-m", "grpc_tools.protoc"], "out": "out"},
        {"local": "protoc-gen-diptych", "out": "out"},
    ]
    (folder / "buf.gen.yaml").write_text(json.dumps({"version": "v2", "plugins": plugins}))
    return [str(BIN / "buf"), "generate", "--path", proto]


@pytest.mark.parametrize("tool", [protoc, buf], ids=lambda tool: tool.__name__)
def test_comments_reach_the_document(
    tool: Callable[[Path, str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"library-{tool.__name__}"  # a hyphen, since generated modules are named without it
    package, proto = name.replace("-", "."), f"{name}.proto"
    (tmp_path / proto).write_text(PROTO.format(package=package))
    (tmp_path / "out").mkdir()
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(tool(tmp_path, proto), cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.syspath_prepend(tmp_path / "out")
    pb = importlib.import_module(f"{name.replace('-', '_')}_pb2")
    gateway = Gateway()
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: pb.Book(),
        request_deserializer=pb.GetBookRequest.FromString,
        response_serializer=pb.Book.SerializeToString,
    )
    gateway.add_registered_method_handlers(f"{package}.Library", {"GetBook": handler})
    gateway.build()
    made = gateway.openapi()
    operation = made["paths"]["/v1/books/{isbn}"]["get"]
    assert operation["summary"] == "Finds a book by its number"
    assert operation["description"] == "GetBook finds a book by its number. It never waits."
    assert operation["parameters"][0]["description"] == "The number on the back cover."
    assert made["components"]["schemas"][f"{package}.Book"]["description"] == "A book."
    assert made["components"]["schemas"][f"{package}.Book"]["properties"]["isbn"]["description"] == "Printed in full."
    assert {"name": "Library", "description": "Lends books."} in made["tags"]
