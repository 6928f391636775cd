"""The sources of a job's items: uploaded files, paths on the server, or a list with one item per line.

A source can be iterated again if its data can be read again, so that a broken upload is retried.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..types.batch import Blob, Item
from .errors import Failed, Usage, fault
from .session import Session

_AT_ONCE = 4  # concurrent uploads; enough to keep one disk busy


class Source(Protocol):
    """Items in a fixed order."""

    repeatable: bool

    def items(self) -> Iterator[Item]:
        """Yields the items. Raises Usage for a malformed one."""


class ListSource:
    """Items from a list of inputs, such as blobs or paths, with their file names."""

    repeatable = True

    def __init__(self, inputs: Iterable[tuple[str, str]]) -> None:
        self._inputs = list(inputs)

    def items(self) -> Iterator[Item]:
        """See `Source`."""
        return (Item(input=_unicode(text), metadata={"name": _unicode(name)}) for text, name in self._inputs)


class LineSource:
    """A file with one item per line, as plain input or as a JSON object; `-` means standard input."""

    def __init__(self, name: str, *, as_json: bool) -> None:
        self._name, self._json = name, as_json
        self.repeatable = name != "-"
        if self.repeatable:
            open(name, "rb").close()  # reports an unreadable file before a job is created

    def items(self) -> Iterator[Item]:
        """See `Source`."""
        if self.repeatable:
            with open(self._name, "rb") as file:
                yield from self._read(file)
        else:
            # Not sys.stdin: see files.pieces_of.
            with open(sys.stdin.fileno(), "rb", closefd=False) as file:
                yield from self._read(file)

    def _read(self, file: BinaryIO) -> Iterator[Item]:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode().removesuffix("\n").removesuffix("\r")
                if text:
                    yield _item(json.loads(text)) if self._json else Item(input=text)
            except (ValueError, RecursionError) as error:
                raise Usage(f"line {number} of {self._name}: {fault(error)}") from None


def _unicode(name: str) -> str:
    """Returns a file name as valid Unicode: names need not be UTF-8, but protobuf strings must."""
    return os.fsencode(name).decode(errors="replace")


def _item(value: Any) -> Item:
    if not isinstance(value, dict) or not isinstance(value.get("input"), str):
        raise ValueError('expected an object with a string "input"')
    unknown = value.keys() - {"input", "metadata"}
    if unknown:
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}; expected input and metadata")
    return Item(input=value["input"], metadata=value.get("metadata") or {})


def files_in(places: Iterable[str], skipped: Callable[[Path, str], None]) -> list[Path]:
    """Returns the files, and all files in the folders that are not hidden. Raises Usage.

    Calls `skipped` with everything else that is not hidden in the folders, and with what it is.
    """
    found: list[Path] = []
    for path in map(Path, places):
        if path.is_dir():
            inside = (one for one in path.rglob("*") if not any(p.startswith(".") for p in one.relative_to(path).parts))
            for one in sorted(inside):
                if one.is_file():
                    found.append(one)
                elif what := _no_file(one):
                    skipped(one, what)
        elif path.is_file():
            found.append(path)
        else:
            raise Usage(f"'{path}' is neither a file nor a folder")
    return found


def _no_file(path: Path) -> str:
    """Returns what is in a folder and is no file: nothing for a folder, whose files are found by themselves."""
    if path.is_symlink() and not path.exists():
        return "a link to nothing"
    if path.is_dir():
        # Links to folders are not followed, since they may lead back.
        return "a link to a folder" if path.is_symlink() else ""
    return "a FIFO" if path.is_fifo() else "a socket" if path.is_socket() else "a device"


def uploaded(session: Session, files: Iterable[Path], done: Callable[[int], None]) -> Iterator[tuple[str, str]]:
    """Upload files and yield their inputs and names; `done` receives the size of each. Raises Failed."""
    with ThreadPoolExecutor(_AT_ONCE, "upload") as pool:
        rest = iter(files)
        running = deque((path, pool.submit(_upload, session, path)) for path in islice(rest, _AT_ONCE))
        try:
            while running:
                path, future = running.popleft()
                blob = _result(path, future)
                for following in islice(rest, 1):
                    running.append((following, pool.submit(_upload, session, following)))
                done(blob.size)
                yield f"blob:{blob.id}", str(path)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _result(path: Path, future: Future[Blob]) -> Blob:
    try:
        return future.result()
    except Failed as error:
        error.message = f"{path}: {error.message}"
        raise


def _upload(session: Session, path: Path) -> Blob:
    path.open("rb").close()  # reports an unreadable file: gRPC, which reads in another thread, would hide the error
    return session.patiently(lambda: session.client.batch.blobs.upload(path))
