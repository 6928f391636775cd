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


# wrk opens all at once; beyond the backlog of the measured servers (2048) Linux resets some.
_WRK_OPENS = 1000


class Generator(Protocol):
    """Sends one request over and over for some seconds."""

    name: str

    def run(self, port: int, request: Request, seconds: float, connections: int = CONNECTIONS) -> Result: ...


# A busy machine can keep the generator, or a server whose pages the kernel has dropped, from running in a short run.
_TRIES = 3


class Wrk:
    """https://github.com/wg/wrk, one thread."""

    name = "wrk"

    def run(self, port: int, request: Request, seconds: float, connections: int = CONNECTIONS) -> Result:
        with tempfile.TemporaryDirectory() as folder:
            script, body = Path(folder, "request.lua"), Path(folder, "body")
            body.write_bytes(request.body)
            script.write_text(_lua(request, body))
            # wrk accepts whole seconds only, written as "2s".
            command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
            command += ["--timeout", "30s", "-s", str(script), f"http://127.0.0.1:{port}{request.path}"]
            for _ in range(_TRIES):
                text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                requests = int(_find(r"(\d+) requests in ", text))
                if requests:
                    break
        if "Non-2xx" in text or _broken(text) or not requests:
            raise RuntimeError(f"{request.verb} {request.path}: {text}")
        rate = float(_find(r"Requests/sec:\s+([\d.]+)", text))
        return Result(rate, _latency("50", text), _latency("99", text), requests)


def _broken(text: str) -> int:
    """Returns the number of errors of connections that wrk reports."""
    found = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return sum(map(int, found.groups())) if found else 0


def _lua(request: Request, body: Path) -> str:
    headers = {"accept": request.accept, **request.headers}
    if request.body:
        headers["content-type"] = request.content_type
    # A string of JSON's is one of Lua's, as long as it is printable ASCII.
    lines = [f"wrk.method = {json.dumps(request.verb)}"]
    lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
    if request.body:
        lines.append(f'wrk.body = io.open({json.dumps(str(body))}, "rb"):read("*a")')
    return "\n".join([*lines, ""])


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

    def run(self, port: int, request: Request, seconds: float, connections: int = CONNECTIONS) -> Result:
        command = [sys.executable, "-m", "bench.client", str(port), str(seconds), str(connections)]
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


def for_connections(chosen: Generator, connections: int) -> Generator:
    """Returns the generator for so many connections: wrk opens all at once, of which Linux resets some."""
    return Own() if connections > _WRK_OPENS else chosen


def measure(
    load: Generator, server: Server, request: Request, seconds: float, connections: int = CONNECTIONS
) -> Result:
    """Measures one run, with the servers' CPU time per request."""
    if server.headers:
        request = replace(request, headers={**request.headers, **server.headers})
    before = server.cpu_seconds()
    result = load.run(server.http, request, seconds, connections)
    return result.used(server.cpu_seconds() - before)
