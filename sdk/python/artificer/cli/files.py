"""Reads the file that a command sends, and writes the one that it receives: completely or not at all.

`-` and no path mean standard input and output. Knows no service.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import Usage

_PIECE = 256 * 1024


def pieces_of(name: str) -> Iterator[bytes]:
    """Yields the bytes of a file, or of standard input."""
    if name == "-":
        # Not sys.stdin, at whose lock the interpreter aborts if it ends while gRPC's thread waits for input.
        while data := os.read(sys.stdin.fileno(), _PIECE):
            yield data
        return
    with open(name, "rb") as file:
        while data := file.read(_PIECE):
            yield data


def check_readable(name: str) -> None:
    """Raise OSError for a file that cannot be read: gRPC, which reads it in another thread, would hide the error."""
    if name != "-":
        open(name, "rb").close()


def check_output(path: Path | None, *, text: bool, option: str = "--output") -> None:
    """Raise Usage if a terminal would receive bytes that are no text; `option` names a file."""
    if path is None and not text and sys.stdout.isatty():
        raise Usage(f"the result is a binary file; write it to one by {option}")


def write(pieces: Iterable[bytes], path: Path | None) -> None:
    """Write pieces to the destination `path`."""
    with destination(path) as out:
        out.writelines(pieces)


@contextmanager
def destination(path: Path | None) -> Iterator[BinaryIO]:
    """Open standard output, a device or a pipe, or a temporary file that replaces `path` once everything is written."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(os.path.realpath(path))  # a link stays one
    if path.exists() and not path.is_file():
        with open(path, "wb") as out:
            yield out
        return
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # instead of the temporary name
    try:
        with open(handle, "wb") as out:
            yield out
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
