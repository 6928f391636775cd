"""`diptych serve --reload`: runs a child that serves, and restarts it when code, generated modules or settings change.

It does not import the application: this process would keep the old modules.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

import typer

from ..extras import need
from .load import LoadError

OPTION = "--reload"
_SETTINGS = (".toml", ".yaml", ".yml")  # YAML is that of service_config
# How long running calls may delay a restart: a developer waits for it.
_STOP_SECONDS = 3.0
_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


def reload(target: str, workers: str | None) -> int:
    """Serves until SIGTERM or SIGINT, and returns the exit code. Raises `LoadError` and `MissingExtra`.

    A child that fails has printed why; the next change starts a new one.
    """
    if workers not in (None, "1"):
        raise LoadError(f"serve {OPTION} runs one process: set workers to 1, or reload workers with SIGHUP")
    need(f"serve {OPTION}", "watchfiles", "reload", "watchfiles")
    from watchfiles import PythonFilter, watch

    folders = sorted(set(_folders(target)))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    child = _start()
    try:
        watched = PythonFilter(extra_extensions=_SETTINGS)
        for changes in watch(*folders, watch_filter=watched, raise_interrupt=True):
            typer.echo(f"diptych: reloading: {sorted(path for _, path in changes)[0]} has changed", err=True)
            _stop(child)
            child = _start()
    except KeyboardInterrupt:
        pass
    return _stop(child)


def _start() -> subprocess.Popen[bytes]:
    words = [word for word in sys.argv[1:] if word != OPTION]
    command = [sys.executable, "-m", "diptych.cli", *words, "--workers", "1"]
    # A separate process group: Ctrl-C must reach this process only, since a second signal makes the child exit at once.
    # No bytecode: Python detects stale bytecode by time in seconds and size, which two quick changes may share.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, process_group=0, env=env)  # noqa: S603, our own program


def _folders(target: str) -> Iterator[Path]:
    """Yields the working folder, the application's, and those on `sys.path` other than installed packages."""
    yield Path.cwd()
    spec = PathFinder.find_spec(target.partition(":")[0].partition(".")[0])
    if spec is not None:
        yield from map(Path, spec.submodule_search_locations or ())
    for entry in sys.path:
        if Path(entry).is_dir() and not str(Path(entry).resolve()).startswith(_INSTALLED):
            yield Path(entry).resolve()


def _stop(child: subprocess.Popen[bytes]) -> int:
    """Ends the child: by SIGTERM, by a second one, at which it exits at once, then by SIGKILL."""
    for _ in range(2):
        if child.poll() is None:
            child.terminate()
            try:
                return child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    child.kill()
    return child.wait()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
