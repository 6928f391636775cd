"""Runs one conversion as a process of its own, and ends it in time.

Owns the process. Its input and output are memory files, which have no names: nothing is left behind, even by kill -9.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import NamedTuple

from .launcher import Task

_PATH = os.pathsep.join(os.path.abspath(one) for one in sys.path if one)
_MESSAGES = 64 * 1024  # bytes that are read


class Finished(NamedTuple):
    """How a conversion ended; `status` is the exit status, or the negative number of the signal that ended it."""

    status: int
    messages: str


async def run(task: Task, document: int, output: int, messages: int) -> Finished:
    """Run a conversion between the memory files with these descriptors. Raises TimeoutError. Cancelling kills it."""
    life, their_life = socket.socketpair()
    with life:
        with their_life:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "artificer_services.convert.launcher",
                task.pack(),
                str(their_life.fileno()),
                stdin=document,
                stdout=output,
                stderr=messages,
                pass_fds=(their_life.fileno(),),
                env=os.environ | {"PYTHONPATH": _PATH},
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(task.seconds):
                status = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
    return Finished(status, os.pread(messages, _MESSAGES, 0).decode(errors="replace"))


def program_of(path: str) -> str:
    """Returns the path of Pandoc: `path`, that of pypandoc_binary, or the one in PATH; "" if there is none."""
    import importlib.util
    import shutil
    from pathlib import Path

    if path:
        return path if os.access(path, os.X_OK) else ""
    package = importlib.util.find_spec("pypandoc")
    for folder in (package and package.submodule_search_locations) or ():
        if os.access(packaged := Path(folder) / "files" / "pandoc", os.X_OK):
            return str(packaged)
    return shutil.which("pandoc") or ""


async def version_of(pandoc: str) -> str:
    """Returns the version of Pandoc, such as "pandoc 3.9". Raises OSError if it cannot be run."""
    process = await asyncio.create_subprocess_exec(
        pandoc, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise OSError(f"{pandoc} --version ended with {process.returncode}")
    return out.partition(b"\n")[0].decode(errors="replace").strip()[:64]
