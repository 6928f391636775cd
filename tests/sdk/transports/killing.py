"""Runs `chat_program`, kills it, and starts it again on the same ports."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from artificer_services.cluster.servers import free_port

ROOT = Path(__file__).parents[3]


class Program:
    """The program; a context manager, which starts it and kills it in the end."""

    def __init__(self, last: int = 5) -> None:
        self._last, self._ports = last, (str(free_port()), str(free_port()))
        self._killing = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Program:
        self.start(self._last)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, last: int) -> None:
        """Starts it, always on the same ports."""
        command = [sys.executable, "-m", "tests.sdk.transports.chat_program", *self._ports, str(last)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            raise RuntimeError("the program ended instead of printing its ports")

    def kill(self) -> None:
        """Kills it as `kill -9` does, and waits for its end."""
        with self._killing:  # gRPC iterates requests in a thread of its own, which may kill too
            process, self._process = self._process, None
            if process is not None:
                assert process.stdout is not None
                process.kill()
                process.wait()
                process.stdout.close()

    def options(self, transport: str) -> dict[str, Any]:
        """Returns the options of a client of it."""
        http_port, grpc_port = self._ports
        addresses = {"base_url": f"http://127.0.0.1:{http_port}", "target": f"127.0.0.1:{grpc_port}"}
        return {"transport": transport, **addresses}
