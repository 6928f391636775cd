"""The programs of the tests of examples/trpc: its API, its demo, and a gateway that may be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, Timer
from typing import Any

from diptych.auth.keys import hash_key
from tests.e2e.conftest import Served, wait_until_listening
from tests.waiting import PATIENCE

Event = dict[str, Any]
LONGEST_SECONDS = 4 * PATIENCE
KEY = "an-example-key-of-32-characters-or-more"


class Api:
    """A running API and its demo, the client on the command line."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address

    @contextmanager
    def demo(self, *arguments: str, token: str = "a") -> Iterator[subprocess.Popen[str]]:
        """Runs the demo with a caller's token until the context ends, or for LONGEST_SECONDS."""
        with subprocess.Popen(
            ["node", "dist/demo.js", *arguments],
            cwd=self.folder,
            env={**os.environ, "API_URL": f"http://{self.address}/trpc", "API_TOKEN": token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            # A test that waits for a line then fails, and does not wait forever.
            timer = Timer(LONGEST_SECONDS, process.kill)
            timer.start()
            try:
                yield process
            finally:
                timer.cancel()
                process.kill()

    def run(self, *arguments: str, token: str = "a") -> list[Event]:
        """Returns the lines that the demo prints; the only one is its error if it fails."""
        with self.demo(*arguments, token=token) as process:
            printed, errors = process.communicate()
        return [json.loads(line) for line in (errors if process.returncode else printed).splitlines()]

    def job(self, *paths: Path) -> str:
        """Creates a job that waits for its start. Returns its id."""
        return str(self.run("create", *map(str, paths))[-1]["job"]["id"])


@contextmanager
def api(folder: Path, target: str, **environment: str) -> Iterator[Api]:
    """Runs the API in front of a gateway, and stops it by SIGTERM."""
    variables = {"API_TOKENS": "alice:a,bob:b", "API_PORT": "0", "ARTIFICER_TARGET": target, **environment}
    with subprocess.Popen(
        ["node", "dist/main.js"], cwd=folder, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"http://([\d.:]+)/trpc", line)
            assert found, line
            yield Api(folder, found[1])
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0


@contextmanager
def mortal_gateway(data: Path) -> Iterator[tuple[Served, subprocess.Popen[str]]]:
    """Runs a gateway that asks for KEY and keeps its jobs in a folder, until it or the context ends."""
    variables = {f"DIPTYCH_SERVICES__{service}__DATA_DIR": str(data) for service in ("AI", "BATCH", "CHAT")}
    variables |= {
        "DIPTYCH_HTTP_PORT": "0",
        "DIPTYCH_GRPC_PORT": "0",
        "DIPTYCH_AUTH__API_KEYS__API__HASH": hash_key(KEY),
    }
    command = [sys.executable, "-m", "diptych.cli", "serve", "artificer_services.app:create"]
    with subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        where = wait_until_listening(process)
        rest = Thread(target=deque, args=(process.stderr,), kwargs={"maxlen": 0})
        rest.start()
        try:
            yield where, process
        finally:
            process.kill()
            rest.join()
