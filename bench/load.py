"""Load on one server by one of two generators: wrk if it is on PATH, else `bench.client`.

It runs them as processes on the core to which this process is pinned, and parses their output.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bench import ROOT
from bench.process import Server
from bench.request import Request, Result

# Enough to keep a server busy, and few enough that p50 reflects the service time and not only the queue.
CONNECTIONS = 32


class Generator(Protocol):
    """Sends one request over and over for some seconds."""

    name: str

    def run(self, port: int, request: Request, seconds: float) -> Result: ...


class Wrk:
    """https://github.com/wg/wrk, one thread."""

    name = "wrk"

    def run(self, port: int, request: Request, seconds: float) -> Result:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "request.lua")
            script.write_bytes(_lua(request))
            # wrk accepts whole seconds only, written as "2s".
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--latency", "-s", str(script)]
            command.append(f"http://127.0.0.1:{port}{request.path}")
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rate = float(_find(r"Requests/sec:\s+([\d.]+)", text))
        if "Non-2xx" in text or "Socket errors" in text or not rate:
            raise RuntimeError(f"{request.verb} {request.path}: {text}")
        return Result(rate, _latency("50", text), _latency("99", text))


def _lua(request: Request) -> bytes:
    script = b'wrk.method = "%s"\nwrk.headers["accept"] = "%s"\n' % (request.verb.encode(), request.accept.encode())
    if request.body:
        script += b'wrk.headers["content-type"] = "%s"\n' % request.content_type.encode()
        script += b"wrk.body = [==[%s]==]\n" % request.body
    return script


def _latency(share: str, text: str) -> float:
    found = re.search(rf"^\s+{share}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[found[2]]


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


class Own:
    """`bench.client`."""

    name = "bench.client (uvloop)"

    def run(self, port: int, request: Request, seconds: float) -> Result:
        command = [sys.executable, "-m", "bench.client", str(port), str(seconds), str(CONNECTIONS)]
        done = subprocess.run(command, input=request.wire(), capture_output=True, cwd=ROOT, check=False)
        if done.returncode:
            raise RuntimeError(f"{request.verb} {request.path}: {done.stderr.decode()[-2000:]}")
        return Result(**json.loads(done.stdout))


def generator(name: str | None = None) -> Generator:
    """Returns the generator of that name, or the better one available."""
    found = shutil.which("wrk") is not None
    if name == "wrk" and not found:
        raise RuntimeError("wrk is not on PATH")
    return Own() if name == "client" or not found else Wrk()


def measure(load: Generator, server: Server, request: Request, seconds: float) -> Result:
    """Measures one run, with the servers' CPU time per request."""
    before = server.cpu_seconds()
    result = load.run(server.http, request, seconds)
    used = server.cpu_seconds() - before
    # The generators keep the time with different precision, so the number of requests is rate times duration.
    return replace(result, cpu=used / (result.rate * max(1, round(seconds))) * 1e6)


def measure_grpc(server: Server, method: str, seconds: float) -> Result:
    """Measures one run of a gRPC method with a grpcio client process."""
    command = [sys.executable, "-m", "bench.grpc_client", str(server.grpc), method, str(seconds)]
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"gRPC {method}: {done.stderr[-2000:]}")
    result = Result(**json.loads(done.stdout))
    return replace(result, cpu=(server.cpu_seconds() - before) / (result.rate * seconds) * 1e6)
