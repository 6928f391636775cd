"""gRPC load on one server: h2load if it is on PATH, else a grpcio client process.

h2load costs less CPU than any server. grpcio's client costs as much as the servers, which limits the rates.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format

from bench import ROOT
from bench.process import Server
from bench.records import NESTED
from bench.request import Result, percentile
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

CONNECTIONS, STREAMS = 4, 8
SERVICE = "/kitchen.v1.KitchenService"
METHODS = {"get": "GetDish", "post": "CreateDish", "list": "ListDishes"}

Measure = Callable[[Server, str, float], Result]
"""Takes the server, a key of METHODS and the duration in seconds."""


def message(method: str) -> Any:
    """Returns the request of a method, which is one of the keys of METHODS."""
    if method == "get":
        return pb.GetDishRequest(dish_id="dish-0")
    if method == "post":
        return pb.CreateDishRequest(dish=json_format.ParseDict(NESTED, pb.Dish()))
    return pb.ListDishesRequest()


def by_h2load(server: Server, method: str, seconds: float, connections: int = CONNECTIONS) -> Result:
    """Measures one run of h2load."""
    data = message(method).SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(struct.pack(">BI", 0, len(data)) + data)
        command = ["h2load", "-c", str(connections), "-m", str(STREAMS), "-D", f"{round(seconds * 1000)}ms"]
        command += ["-d", str(body), "--log-file", str(log)]
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        command.append(f"http://127.0.0.1:{server.grpc}{SERVICE}/{METHODS[method]}")
        before = server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        used = server.cpu_seconds() - before
        lines = [line.split() for line in log.read_text().splitlines()]
    # Each line: the start in microseconds since 1970, the HTTP status, and the microseconds until the end.
    took = [int(line[2]) / 1e3 for line in lines if line[1] == "200"]
    if not took or len(took) < len(lines):
        raise RuntimeError(f"gRPC {method} of {server.name}: {done.stdout[-2000:]}")
    return Result(len(took) / seconds, percentile(took, 0.5), percentile(took, 0.99), len(took)).used(used)


def by_grpcio(server: Server, method: str, seconds: float) -> Result:
    """Measures one run of a grpcio client process."""
    command = [sys.executable, "-m", "bench.grpc_client", str(server.grpc), method, str(seconds)]
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"gRPC {method} of {server.name}: {done.stderr[-2000:]}")
    return Result(**json.loads(done.stdout)).used(server.cpu_seconds() - before)


def client(name: str = "") -> tuple[str, Measure]:
    """Returns the client of that name (h2load or grpcio), or the better one available, with its name."""
    name = name or ("h2load" if shutil.which("h2load") else "grpcio")
    return name, by_h2load if name == "h2load" else by_grpcio


def check(servers: Sequence[Server]) -> None:
    """Raises RuntimeError if the servers answer differently: h2load does not check gRPC's status."""
    answers = {}
    for one in servers:
        with grpc.insecure_channel(f"127.0.0.1:{one.grpc}") as channel:
            stub = pb_grpc.KitchenServiceStub(channel)
            answers[one.name] = [
                stub.GetDish(message("get"), timeout=20).SerializeToString(deterministic=True),
                stub.CreateDish(message("post"), timeout=20).SerializeToString(deterministic=True),
                stub.ListDishes(message("list"), timeout=20).SerializeToString(deterministic=True),
            ]
    first = next(iter(answers.values()))
    for name, answer in answers.items():
        if answer != first:
            raise RuntimeError(f"{name} answers differently over gRPC: {answer!r}")
