"""An ASGI application of `bench.servers` on granian, the HTTP server in Rust, instead of uvicorn."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec

from bench.process import START_SECONDS, Server, Unavailable, started

_LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def granian(name: str, module: str, core: int | None) -> Iterator[Server]:
    """Runs `bench.servers.<module>:app` in one worker. Raises Unavailable if granian is not installed."""
    if find_spec("granian") is None:
        raise Unavailable("granian is not installed (pip install granian)")
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--host", _LOOPBACK, "--port", str(port)]
    command += ["--workers", "1", "--loop", "uvloop", "--http", "1", "--no-ws", "--no-log", "--backlog", "2048"]
    with started([*command, f"bench.servers.{module}:app"], core) as process:
        _wait(port)
        yield Server(name, [process], http=port)


def _free_port() -> int:
    # granian does not say which port it got for 0.
    with socket.create_server((_LOOPBACK, 0)) as bound:
        return int(bound.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://{_LOOPBACK}:{port}/v1/dishes/dish-0").close()
            return
        time.sleep(0.05)
    raise RuntimeError("granian did not start")
