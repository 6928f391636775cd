"""A protoc plugin that returns to buf what grpcio-tools, mypy-protobuf and protoc-gen-diptych generate.

buf refuses `protoc_builtin: grpc_python`. Which files are generated, and where they go, is set in buf.gen.yaml.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from diptych.protoc_plugin import respond

CONTEXT = (
    "_aio.ServicerContext):  # type: ignore[misc, type-arg]",
    "_aio.ServicerContext[_typing.Any, _typing.Any]):  # type: ignore[misc]",
)
"""mypy-protobuf leaves out the arguments of a generic class, so that pyright finds every servicer partially unknown."""
OUTPUTS = ("python_out", "grpc_python_out", "mypy_out", "mypy_grpc_out")


def generate(request: plugin_pb2.CodeGeneratorRequest) -> plugin_pb2.CodeGeneratorResponse:
    """Runs protoc over the request's descriptors; returns every generated file, or protoc's own error text."""
    response = respond(request)
    with tempfile.TemporaryDirectory() as folder:
        descriptors, out = Path(folder, "descriptors.binpb"), Path(folder, "out")
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        out.mkdir()
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={descriptors}"]
        for name in ("mypy", "mypy_grpc"):
            command.append(f"--plugin=protoc-gen-{name}={Path(sys.executable).with_name(f'protoc-gen-{name}')}")
        command += [f"--{name}={'quiet:' if 'mypy' in name else ''}{out}" for name in OUTPUTS]
        done = subprocess.run([*command, *request.file_to_generate], capture_output=True, text=True, check=False)
        if done.returncode:
            response.error = done.stderr.strip() or f"protoc ended with {done.returncode}"
            return response
        for path in sorted(out.rglob("*")):
            if path.is_file():
                text = path.read_text(encoding="utf-8").replace(*CONTEXT)
                response.file.add(name=path.relative_to(out).as_posix(), content=text)
    return response


if __name__ == "__main__":
    answer = generate(plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(answer.SerializeToString())
