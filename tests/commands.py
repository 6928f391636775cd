"""Runs this repository's commands as a shell does, without a new interpreter for each.

A fork server imports the commands' modules once per session; each run is a fork with its own streams, folder,
environment and arguments. It takes milliseconds of CPU, a new interpreter one to two seconds. It cannot show that a
command's imports are complete, so each command also has a test that starts a real process.
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

ROOT = Path(__file__).parents[1]

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "diptych.cli",
        "artificer.cli.batch",
        "artificer._sync.grpc",
        "artificer._sync.rest",
        "artificer_services.app",
        "tests.kitchen",
    ]
)


def run(
    module: str, *arguments: str, folder: Path, env: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m module arguments` in `folder` with `env` as its environment and `given` on standard input."""
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
    """Runs the same in a new interpreter."""
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
    """Turns this process into the program: its streams, folder, environment, arguments and exit status."""
    for number, (file, flags) in enumerate(zip(files, (os.O_RDONLY, _WRITE, _WRITE), strict=True)):
        os.dup2(os.open(file, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path[:0] = ["", *env.get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)  # runpy warns about modules that were imported before they run
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


def diptych(
    *arguments: str, folder: Path = ROOT, own_process: bool = False, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder` without the caller's settings, in a new interpreter if `own_process` is true."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIPTYCH_")}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])
    given = {**clean, "PYTHONPATH": paths, "NO_COLOR": "1", **env}
    return (start if own_process else run)("diptych.cli", *arguments, folder=folder, env=given)


def fails_in_one_line(done: subprocess.CompletedProcess[str], expected: str) -> None:
    """Assert that the command failed and printed one line on standard error, which contains `expected`."""
    assert done.returncode != 0
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("diptych: ")
    assert expected in done.stderr
