"""`diptych serve --reload`: responses follow the code, and a mistake does not end the command."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.waiting import PATIENCE

APP = """\
from diptych import Gateway
from values_pb2 import VALUE

def create(settings):
    gateway = Gateway(settings)
    gateway.app.get("/value")(lambda: [VALUE, settings.title])
    return gateway
"""


async def said(process: asyncio.subprocess.Process, text: str) -> str:
    """Returns the next line of the log that contains `text`."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        async for line in process.stderr:
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"the program ended without saying {text!r}")


async def value(process: asyncio.subprocess.Process) -> object:
    """Returns the response of the next child."""
    place = (await said(process, "HTTP on ")).partition("HTTP on ")[2].partition(",")[0]
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        return (await client.get(f"{place}/value")).json()


async def test_code_generated_modules_and_settings_are_reloaded(tmp_path: Path) -> None:
    app, generated, settings = tmp_path / "app.py", tmp_path / "values_pb2.py", tmp_path / "diptych.toml"
    app.write_text(APP)
    generated.write_text("VALUE = 1\n")
    settings.write_text("title = 'a'\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "diptych.cli", "serve", "--reload", "app:create"),
        *("--http-port", "0", "--grpc-port", "0"),
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        assert await value(process) == [1, "a"]
        generated.write_text("VALUE = 2\n")
        assert await value(process) == [2, "a"]
        app.write_text("def create(:\n")
        assert f"diptych: cannot import 'app': {app}:1: SyntaxError" in await said(process, "diptych: cannot import")
        app.write_text(APP.replace("[VALUE", "[-VALUE"))
        assert await value(process) == [-2, "a"]
        settings.write_text("titel = 'b'\n")
        assert "diptych.toml:1: titel: there is no such setting; did you mean title?" in await said(process, "titel")
        settings.write_text("title = 'b'\n")
        assert await value(process) == [-2, "b"]
        (tmp_path / "rest.yaml").write_text("type: google.api.Service\n")
        assert "rest.yaml has changed" in await said(process, "reloading")
        assert await value(process) == [-2, "b"]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_it_runs_one_process() -> None:
    command = [sys.executable, "-m", "diptych.cli", "serve", "app:create", "--reload", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "serve --reload runs one process: set workers to 1, or reload workers with SIGHUP" in done.stderr
