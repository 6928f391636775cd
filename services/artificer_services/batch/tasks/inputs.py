"""How an item's input becomes the bytes of a document: a path below the root, a data URI, or an uploaded blob.

Owns the three forms and what is refused of each. Knows no task and no store.
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_to_bytes

from ..settings import MIB, BatchSettings
from .api import Rejected, TaskError

ReadBlob = Callable[[str], tuple[bytes, str]]

_LIMIT = 64 * MIB
_PATH_BYTES, _NAME_BYTES = 4096, 255  # PATH_MAX and NAME_MAX of Linux
_SHOWN = 200  # characters of an input that a message repeats

_BLOB = re.compile(r"blob:([0-9a-f]{64})", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# RFC 2397: data:[<type>/<subtype>][;attribute=value]*[;base64],<data>
_DATA = re.compile(
    r"""data:(?P<type>[\w.+!#$&^-]+/[\w.+!#$&^-]+)?(?P<parameters>(?:;[\w.+!#$&^-]+=(?:[^",;\s]*|"[^"]*"))*)"""
    r"(?P<base64>;base64)?,",
    re.ASCII | re.IGNORECASE,
)
_WHITE = re.compile(rb"[\t\n\f\r ]+")  # browsers pass over it in base64

# A file that is there but gives nothing now, as on a network's file system that is away.
_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR})


class Documents:
    """Reads what inputs name.

    Of the `tasks` settings it looks at `root`, the folder that paths are below, and `max_document_bytes`.
    """

    def __init__(self, tasks: Mapping[str, Any]) -> None:
        """Raises ValueError for settings that make no sense."""
        root = tasks.get("root", "")
        if not isinstance(root, str):
            raise ValueError("services.batch.tasks.root must be the path of a folder")
        self.root = os.path.abspath(os.path.expanduser(root)) if root else ""
        try:
            self.limit = int(tasks.get("max_document_bytes", _LIMIT))
        except (TypeError, ValueError):
            self.limit = 0
        if self.limit <= 0:
            raise ValueError("services.batch.tasks.max_document_bytes must be a positive number")

    def check(self, text: str) -> str | None:
        """Why an input can never be read, None where it may be. Reads no document; a file may still be to come."""
        try:
            if text.startswith("blob:"):
                _blob_id(text)
            elif text[:5].lower() == "data:":
                self._data_form(text)
            else:
                self._look(self._parts(text), text)
        except Rejected as error:
            return error.message
        return None

    def read(self, text: str, read_blob: ReadBlob) -> tuple[bytes, str]:
        """The bytes that an input names, and their media type, empty for a file's. Raises Rejected, TaskError."""
        if text.startswith("blob:"):
            return self._blob(_blob_id(text), read_blob)
        if text[:5].lower() == "data:":
            return self._data(text)
        return self._file(self._parts(text), text), ""

    def _blob(self, blob_id: str, read_blob: ReadBlob) -> tuple[bytes, str]:
        try:
            data, kind = read_blob(blob_id)
        except KeyError:
            raise Rejected(f"there is no blob {blob_id}") from None
        self._check_size(len(data), f"blob {blob_id}")
        return data, kind

    def _data_form(self, text: str) -> re.Match[str]:
        found = _DATA.match(text)
        if found is None:
            raise Rejected("the data URI is malformed: data:[type/subtype][;attribute=value][;base64],data is its form")
        if found["base64"] and (len(text) - found.end()) // 4 * 3 > 3 * self.limit:  # all of it may be percent signs
            self._check_size((len(text) - found.end()) // 4, "the data URI")
        return found

    def _data(self, text: str) -> tuple[bytes, str]:
        found = self._data_form(text)
        data = unquote_to_bytes(text[found.end() :])
        if found["base64"]:
            try:
                data = base64.b64decode(_WHITE.sub(b"", data), validate=True)
            except binascii.Error as error:
                raise Rejected(f"the data URI has broken base64: {error}") from None
        self._check_size(len(data), "the data URI")
        # RFC 2397, section 2: what is left out is text/plain in US-ASCII.
        return data, (found["type"] or "text/plain").lower() + (found["parameters"] or "")

    def _parts(self, text: str) -> list[str]:
        """The names on the way from the root to a file."""
        if not text:
            raise Rejected("the input is empty: a path, a data URI or blob: and an id is wanted")
        if _URL.match(text):
            raise Rejected(f"{_shown(text)} is a URL: only paths, data URIs and blobs are read")
        if not self.root:
            raise Rejected("paths are not read here: the server has no folder for them (services.batch.tasks.root)")
        if "\0" in text:
            raise Rejected(f"{_shown(text)} has a NUL character in it")
        if len(text) > _PATH_BYTES or any(len(part.encode(errors="replace")) > _NAME_BYTES for part in text.split("/")):
            raise Rejected(f"{_shown(text)} is longer than any path, or has a name that is longer than any file's")
        if text.startswith("/"):
            raise Rejected(f"{_shown(text)} is an absolute path: name it as seen from the server's folder")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Rejected(f"{_shown(text)} has a .. in it: paths stay below the server's folder")
        if not parts or text.endswith("/"):
            raise Rejected(f"{_shown(text)} is a folder")
        return parts

    def _look(self, parts: list[str], text: str) -> None:
        """Refuse a path that leads through a symbolic link, or to what is no file, as far as that is seen now."""
        place = self.root
        for number, part in enumerate(parts, 1):
            place = f"{place}/{part}"
            try:
                mode = os.lstat(place).st_mode
            except OSError:
                return  # it may come yet, and another machine may see what this one does not
            _check_kind(mode, text, last=number == len(parts))

    def _file(self, parts: list[str], text: str) -> bytes:
        """Read a file below the root: opened name by name, so that what was looked at is what is read."""
        folder = -1
        try:
            folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in parts[:-1]:
                inner = _open(part, folder, text, last=False)
                os.close(folder)
                folder = inner
            with os.fdopen(_open(parts[-1], folder, text, last=True), "rb", buffering=0) as file:
                self._check_size(os.fstat(file.fileno()).st_size, _shown(text))
                data = _read(file.fileno(), self.limit + 1)  # it may have grown
        except OSError as error:
            raise _blamed(error, text) from None
        finally:
            if folder >= 0:
                os.close(folder)
        self._check_size(len(data), _shown(text))
        return data

    def _check_size(self, size: int, what: str) -> None:
        if size > self.limit:
            raise Rejected(f"{what} has more than the {self.limit:,} bytes that are read")


def check_input(text: str, settings: BatchSettings) -> str | None:
    """Why an input can never be read as a document, None where it may be. For many of them keep a `Documents`."""
    return Documents(settings.tasks).check(text)


def _open(name: str, folder: int, text: str, *, last: bool) -> int:
    _check_kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode, text, last=last)
    # O_NONBLOCK: what was a file a moment ago may be a pipe by now, whose opening would wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (0 if last else os.O_DIRECTORY)
    opened = os.open(name, flags, dir_fd=folder)
    try:
        _check_kind(os.fstat(opened).st_mode, text, last=last)
    except Rejected:
        os.close(opened)
        raise
    return opened


def _check_kind(mode: int, text: str, *, last: bool) -> None:
    if stat.S_ISLNK(mode):
        raise Rejected(f"{_shown(text)} leads through a symbolic link, and those are not followed")
    if last and stat.S_ISDIR(mode):
        raise Rejected(f"{_shown(text)} is a folder")
    if last and not stat.S_ISREG(mode):
        raise Rejected(f"{_shown(text)} is not a file")
    if not last and not stat.S_ISDIR(mode):
        raise Rejected(f"{_shown(text)} leads through something that is not a folder")


def _read(opened: int, limit: int) -> bytes:
    pieces = []
    while limit > 0 and (piece := os.read(opened, min(limit, MIB))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _blob_id(text: str) -> str:
    found = _BLOB.fullmatch(text)
    if found is None:
        raise Rejected("a blob is named by blob: and the 64 hexadecimal digits of its id")
    return found[1]


def _blamed(error: OSError, text: str) -> TaskError:
    if error.errno in _PASSING:
        return TaskError(f"{_shown(text)} cannot be read now: {error.strerror}")
    if error.errno == errno.ENOENT:
        return Rejected(f"there is no file {_shown(text)}")
    if error.errno == errno.ELOOP:
        return Rejected(f"{_shown(text)} leads through a symbolic link, and those are not followed")
    reason = "unknown reason"
    with suppress(TypeError, ValueError):
        reason = os.strerror(error.errno or 0)
    return Rejected(f"{_shown(text)} cannot be read: {reason}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
