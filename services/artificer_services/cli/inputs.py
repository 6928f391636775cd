"""What a job's items come from: files that are uploaded, paths on the server, or a list with one item a line.

Each source can be gone through again where its data can, so that a broken upload is sent again; none holds its items.
"""

from __future__ import annotations

import json
import mimetypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from google.api import httpbody_pb2

from artificer.batch.v1 import batch_service_pb2 as pb

from .errors import Failed, Usage
from .link import Link

_PIECE = 256 * 1024
_AT_ONCE = 4  # uploads: enough to keep one disk busy


class Source(Protocol):
    """Items in an order that is the same every time."""

    repeatable: bool

    def items(self) -> Iterator[pb.Item]:
        """The items. Raises Usage for what is none."""


class Listed:
    """Items that are known already, as blobs or paths with the names that people know them by."""

    repeatable = True

    def __init__(self, inputs: Iterable[tuple[str, str]]) -> None:
        self._inputs = list(inputs)

    def items(self) -> Iterator[pb.Item]:
        """See `Source`."""
        return (pb.Item(input=_unicode(text), metadata={"name": _unicode(name)}) for text, name in self._inputs)


class Lines:
    """A file with an item a line, `-` being standard input: inputs as they are, or JSON objects as the API has them."""

    def __init__(self, name: str, *, as_json: bool) -> None:
        self._name, self._json = name, as_json
        self.repeatable = name != "-"
        if self.repeatable:
            open(name, "rb").close()  # what cannot be read is told before a job is made

    def items(self) -> Iterator[pb.Item]:
        """See `Source`."""
        if self.repeatable:
            with open(self._name, "rb") as file:
                yield from self._read(file)
        else:
            yield from self._read(sys.stdin.buffer)

    def _read(self, file: BinaryIO) -> Iterator[pb.Item]:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode().removesuffix("\n").removesuffix("\r")
                if text:
                    yield _item(json.loads(text)) if self._json else pb.Item(input=text)
            except (ValueError, TypeError) as error:
                raise Usage(f"line {number} of {self._name}: {error}") from None


def _unicode(name: str) -> str:
    """A name of a file need not be UTF-8, and every text of a message must be."""
    return os.fsencode(name).decode(errors="replace")


def _item(value: Any) -> pb.Item:
    if not isinstance(value, dict) or not isinstance(value.get("input"), str):
        raise ValueError('an object with a text "input" is wanted')
    unknown = value.keys() - {"input", "metadata"}
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; there are input and metadata")
    return pb.Item(input=value["input"], metadata=value.get("metadata") or {})


def files_in(places: Iterable[str]) -> list[Path]:
    """The files themselves, and for a folder all files in it that are not hidden. Raises Usage."""
    found: list[Path] = []
    for path in map(Path, places):
        if path.is_dir():
            inside = (one for one in path.rglob("*") if not any(p.startswith(".") for p in one.relative_to(path).parts))
            found += sorted(one for one in inside if one.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise Usage(f"{path} is neither a file nor a folder")
    return found


def uploaded(link: Link, files: Iterable[Path], done: Callable[[int], None]) -> Iterator[tuple[str, str]]:
    """The files as inputs of items, uploaded a few at once; `done` hears the bytes of each. Raises Failed."""
    with ThreadPoolExecutor(_AT_ONCE, "upload") as pool:
        rest = iter(files)
        running = deque((path, pool.submit(_upload, link, path)) for path in islice(rest, _AT_ONCE))
        try:
            while running:
                path, future = running.popleft()
                blob = _result(path, future)
                for following in islice(rest, 1):
                    running.append((following, pool.submit(_upload, link, following)))
                done(blob.size)
                yield f"blob:{blob.id}", str(path)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _result(path: Path, future: Future[pb.Blob]) -> pb.Blob:
    try:
        return future.result()
    except Failed as error:
        error.message = f"{path}: {error.message}"
        raise


def _upload(link: Link, path: Path) -> pb.Blob:
    path.open("rb").close()  # gRPC reads in a thread of its own, and would not tell why it could not
    return link.patiently(lambda: link.batch.UploadBlob(_pieces(path)))


def _pieces(path: Path) -> Iterator[pb.UploadBlobRequest]:
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    with path.open("rb") as file:
        data = file.read(_PIECE)
        yield pb.UploadBlobRequest(content=httpbody_pb2.HttpBody(content_type=media, data=data))
        while data := file.read(_PIECE):
            yield pb.UploadBlobRequest(content=httpbody_pb2.HttpBody(data=data))
