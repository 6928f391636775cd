"""Reads `file:` URIs (RFC 8089) below configured folders.

Links are followed only within the folders. No component is a link when the file is opened, so that one which is swapped
after the check leads nowhere.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes, urlsplit

from ...kit.errors import Fault, Invalid, NotFound
from .values import Asset

_ALLOWED = "services.ai.reading.roots"


class FileSource:
    """Files below some folders, of at most `limit` bytes each."""

    def __init__(self, roots: Sequence[str], limit: int) -> None:
        self._roots = [os.path.normpath(root) for root in roots]
        self._limit = limit

    async def read(self, uri: str) -> Asset:
        """Returns the file of a URI. Raises Invalid, NotFound."""
        path = _path(uri)
        if not self._roots:
            raise Invalid(Fault("uri", f"this server reads no file: URIs; its setting {_ALLOWED} allows folders"))
        # Before the file system is asked, so that the answer tells nothing of what exists elsewhere.
        if not any(_below(path, root) for root in self._roots):
            raise _outside()
        data = await asyncio.to_thread(self._read, path)
        return Asset(data=data, filename=os.path.basename(path))

    def _read(self, path: str) -> bytes:
        missing = NotFound("the file of the URI does not exist, or cannot be read")
        try:
            real = os.path.realpath(path, strict=True)
            roots = [os.path.realpath(root) for root in self._roots]
            root = next((root for root in roots if _below(real, root)), None)
            if root is None:
                raise _outside()
            file = _open_below(root, os.path.relpath(real, root))
        except OSError:
            raise missing from None
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Invalid(Fault("uri", "must name a regular file"))
            return self._content(file)
        except OSError:
            raise missing from None
        finally:
            os.close(file)

    def _content(self, file: int) -> bytes:
        data = bytearray()
        while piece := os.read(file, min(1 << 20, self._limit + 1 - len(data))):
            data += piece
            if len(data) > self._limit:
                raise Invalid(Fault("uri", f"the file is larger than {self._limit:,} bytes, the limit"))
        return bytes(data)


def _path(uri: str) -> str:
    """Returns the absolute path of a URI. Raises Invalid."""
    try:
        parts = urlsplit(uri)
        path = unquote_to_bytes(parts.path).decode()
    except ValueError:
        raise Invalid(Fault("uri", "is no valid URI")) from None
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise Invalid(Fault("uri", "a file: URI must have no host, query and fragment, such as file:///srv/docs/a.pdf"))
    if not path.startswith("/") or "\0" in path or ".." in PurePosixPath(path).parts:
        raise Invalid(Fault("uri", "the path of a file: URI must be absolute and without .."))
    return os.path.normpath(path)


def _below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")


def _outside() -> Invalid:
    return Invalid(Fault("uri", f"is not below one of the folders that the server's setting {_ALLOWED} allows"))


def _open_below(root: str, path: str) -> int:
    """Opens a file by its path from a folder, none of whose components may be a link. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(root, flags | os.O_DIRECTORY)
    try:
        *folders, name = path.split("/")
        for one in folders:
            inner = os.open(one, flags | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Without O_NONBLOCK, opening a named pipe waits for a writer.
        return os.open(name, flags | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
