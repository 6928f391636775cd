"""The notes service of examples/notes, built as docs/new-service.md says, and a client of each face."""

from __future__ import annotations

import importlib
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from diptych import Settings

EXAMPLE = Path(__file__).parents[3] / "examples" / "notes"
PROTO = "example/notes/v1/notes_service.proto"


@dataclass(frozen=True)
class Served:
    """A running service, its messages, and clients of it."""

    http: httpx2.AsyncClient
    stub: Any
    pb: Any


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Makes `notes` and `example` importable."""
    folder = tmp_path_factory.mktemp("notes")
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I",
        str(EXAMPLE / "proto"),
        "-I",
        sysconfig.get_path("purelib"),
    ]
    subprocess.run([*command, f"--python_out={folder}", f"--grpc_python_out={folder}", PROTO], check=True)
    sys.path[:0] = [str(folder), str(EXAMPLE)]
    yield
    sys.path.remove(str(folder))
    sys.path.remove(str(EXAMPLE))


@pytest.fixture
def serve(notes: None) -> Serve:
    """Starts the service: `async with serve(**settings) as served`."""
    build: Any = importlib.import_module("notes.build")
    pb: Any = importlib.import_module("example.notes.v1.notes_service_pb2")
    rpc: Any = importlib.import_module("example.notes.v1.notes_service_pb2_grpc")

    @asynccontextmanager
    async def serving(**settings: Any) -> AsyncIterator[Served]:
        gateway = build.create(Settings(http_port=0, grpc_port=0, services={"notes": settings}))
        async with (
            gateway,
            grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=60) as http,
        ):
            yield Served(http, rpc.NotesServiceStub(channel), pb)

    return serving
