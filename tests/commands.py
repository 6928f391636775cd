"""Runs this repository's commands as a shell does, without a new interpreter for each.

A fork server imports what the commands need once a session; a run is a fork of it with streams, folder, environment and
arguments of its own. It takes milliseconds of CPU where a new interpreter takes one to two seconds. It does not show
that a command's imports are complete: each command has a test that starts a real process too.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.waiting import PATIENCE

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["diptych.cli", "artificer_services.cli", "artificer_services.app", "tests.kitchen"])


def run(
    module: str, *arguments: str, folder: Path, env: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments` in `folder` with `env` as its environment and `given` on standard input."""
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place, name) for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(given)
        process = _FORKS.Process(target=_be, args=(module, arguments, str(folder), dict(env), files))
        process.start()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f"{module} {arguments} did not end in {PATIENCE} s: {files[2].read_text()}")
        status = process.exitcode or 0
        process.close()
        return subprocess.CompletedProcess([module, *arguments], status, files[1].read_text(), files[2].read_text())


def start(module: str, *arguments: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The same in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def _be(module: str, arguments: tuple[str, ...], folder: str, env: dict[str, str], files: list[Path]) -> None:
    """Become the program: its streams, its folder, its environment, its arguments, and its exit status."""
    for number, (file, flags) in enumerate(zip(files, (os.O_RDONLY, _WRITE, _WRITE), strict=True)):
        os.dup2(os.open(file, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path[:0] = ["", *env.get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)  # runpy warns of a module that was imported before it is run
    status = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
        if isinstance(left.code, str):
            sys.stderr.write(f"{left.code}\n")
    except BaseException:
        traceback.print_exc()
    with suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
