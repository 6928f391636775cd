"""`python -m bench.instructions`: user-space instructions per request, counted by valgrind, of Diptych and its peers.

Unlike times they are the same on a busy machine to about one percent, so that a small change can be judged; but they
miss the kernel, and say nothing about caches. Each server runs under valgrind and answers requests of one connection.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.records import NESTED, STORE
from bench.request import Request

_SERVERS = {
    # name: the arguments after `python -m bench.servers.`
    "raw": ("raw",),
    "fastapi": ("handwritten",),
    "diptych": ("gateway",),
    "no wheel": ("gateway", "--codec", "native"),
    "key": ("gateway", "--api-key"),
    "log": ("gateway", "--access-log"),
    "interceptor": ("gateway", "--interceptor"),
    "all three": ("gateway", "--api-key", "--access-log", "--interceptor"),
}
_REQUESTS = {
    "get": Request("GET", f"/v1/dishes/{STORE[0].id}"),
    "post": Request("POST", "/v1/dishes", "application/json", json.dumps(NESTED, separators=(",", ":")).encode()),
}
_WARM_UP = 300  # until CPython has specialized the code


def instructions(server: tuple[str, ...], request: Request, count: int) -> int:
    """Returns the instructions that a server takes for a request, on average of `count`."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"]
        command += [f"--log-file={log}", sys.executable, "-m", f"bench.servers.{server[0]}", *server[1:]]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            try:
                _measure(process, request, count)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()
        found = re.search(r"Collected : (\d+)", log.read_text())
        if found is None:
            raise RuntimeError(f"valgrind counted nothing: {log.read_text()}")
        return int(found[1]) // count


def _measure(process: subprocess.Popen[bytes], request: Request, count: int) -> None:
    if process.stdout is None or not (line := process.stdout.readline()):
        raise RuntimeError("the server did not start")
    about = json.loads(line)
    wire = Request(
        request.verb, request.path, request.content_type, request.body, headers=about.get("headers", {})
    ).wire()
    with socket.create_connection(("127.0.0.1", about["http"])) as connection:
        _send(connection, wire, _WARM_UP)
        _count(process, "on")
        _send(connection, wire, count)
        _count(process, "off")


def _count(process: subprocess.Popen[bytes], switch: str) -> None:
    subprocess.run(["callgrind_control", "-i", switch, str(process.pid)], check=True, capture_output=True)


def _send(connection: socket.socket, wire: bytes, count: int) -> None:
    for _ in range(count):
        connection.sendall(wire)
        answer = b""
        while not _is_whole(answer):
            answer += connection.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode())


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="*", help=f"any of {', '.join(_SERVERS)}; all without any")
    parser.add_argument("--request", choices=_REQUESTS, help="all without it")
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("bench.instructions needs valgrind on PATH")
    for name in [given.request] if given.request else _REQUESTS:
        counts = {one: instructions(_SERVERS[one], _REQUESTS[name], given.count) for one in given.servers or _SERVERS}
        least = counts.get("raw")
        for server, counted in counts.items():
            beside = f"  raw / this {least / counted:.2f}" if least else ""
            print(f"{name:6} {server:12} {counted:9,}{beside}", flush=True)


if __name__ == "__main__":
    main()
