"""The real program: `diptych serve` in a separate process, on two free ports, once for all tests of this folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from tests.chromium import chromium_in, find_chromium

expect.set_options(
    timeout=30_000
)  # milliseconds, unless a test sets another; a busy machine can exceed the default of five seconds

ROOT = Path(__file__).parents[2]
_LISTENING = re.compile(r"HTTP on (http://\S+:\d+), gRPC on (\S+:\d+)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the browser tests if there is no Chromium, unless they are required, as in CI."""
    if find_chromium() or os.environ.get("TESTS_BROWSER") == "required":
        return
    browser = [item for item in items if item.get_closest_marker("browser")]
    if browser:
        items[:] = [item for item in items if item not in browser]
        config.hook.pytest_deselected(items=browser)
        config.add_cleanup(lambda: print("no Chromium was found: the browser tests did not run"))  # noqa: T201


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserContext]:
    """One browser for all tests of a module: starting it takes longer than a test."""
    async with chromium_in(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@dataclass(frozen=True)
class Served:
    """The program's addresses."""

    http: str
    grpc: str
    stop: Callable[[], None] = lambda: None
    """Sends SIGTERM, once."""


def wait_until_listening(process: subprocess.Popen[str]) -> Served:
    """Returns the addresses that the program logs when both listeners are bound."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        found = _LISTENING.search(line)
        if found:
            return Served(found[1], found[2])
    raise AssertionError("the program ended before it listened:\n" + "".join(seen))


@contextmanager
def serving(*arguments: str, app: str = "artificer_services.app:create") -> Iterator[Served]:
    """Runs `diptych serve` as a process and stops it by SIGTERM."""
    command = [sys.executable, "-m", "diptych.cli", "serve", app, *arguments, "--http-port", "0", "--grpc-port", "0"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])}
    stores = ("AI", "BATCH", "CHAT") if app.startswith("artificer_services") else ()
    with (
        tempfile.TemporaryDirectory() as data,
        subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=env | {f"DIPTYCH_SERVICES__{service}__DATA_DIR": data for service in stores},
        ) as process,
    ):
        signals = iter([signal.SIGTERM])  # a second signal would end it at once

        def stop() -> None:
            for number in signals:
                process.send_signal(number)

        # Its later log lines are read too, so that a full pipe cannot block it or its workers.
        rest = Thread(target=deque, args=(process.stderr,), kwargs={"maxlen": 0})
        try:
            where = wait_until_listening(process)
            rest.start()
            yield replace(where, stop=stop)
        finally:
            stop()
            process.wait(timeout=60)
            if rest.is_alive():
                rest.join()
    assert process.returncode == 0


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """Runs the program that `make serve` runs."""
    with serving() as where:
        yield where


@pytest.fixture(scope="session")
def kitchen_served() -> Iterator[Served]:
    """Runs the same program with the kitchen sink."""
    with serving(app="tests.kitchen_app:create") as where:
        yield where


@pytest.fixture(scope="session")
def scan() -> bytes:
    """A scanned document of three pages, without a text layer."""
    return (ROOT / "examples" / "scan.pdf").read_bytes()
