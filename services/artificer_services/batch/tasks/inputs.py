"""Reads the document that an item's input names: a path below the root, a data URI, or an uploaded blob.

Owns the three forms and their validation. Knows no task and no store.
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

from diptych.settings.errors import Fault, SettingError

from ...kit.settings import MIB
from ..settings import BatchSettings
from .api import Rejected, TaskError

ReadBlob = Callable[[str], tuple[bytes, str]]

_LIMIT = 64 * MIB
_PATH_BYTES, _NAME_BYTES = 4096, 255  # PATH_MAX and NAME_MAX of Linux
_SHOWN = 200  # characters of an input that a message quotes

_BLOB = re.compile(r"blob:([0-9a-f]{64})", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# RFC 2397: data:[<type>/<subtype>][;attribute=value]*[;base64],<data>
_DATA = re.compile(
    r"""data:(?P<type>[\w.+!#$&^-]+/[\w.+!#$&^-]+)?(?P<parameters>(?:;[\w.+!#$&^-]+=(?:[^",;\s]*|"[^"]*"))*)"""
    r"(?P<base64>;base64)?,",
    re.ASCII | re.IGNORECASE,
)
_WHITE = re.compile(rb"[\t\n\f\r ]+")  # browsers ignore it in base64

# Transient errors, for example of a network file system that is unreachable.
_TRANSIENT = frozenset({errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR})


class Documents:
    """Reads the documents that inputs name.

    Uses the `tasks` settings `root`, the folder of the paths, and `max_document_bytes`.
    """

    def __init__(self, tasks: Mapping[str, Any]) -> None:
        """Raises `SettingError` for invalid settings."""
        root = tasks.get("root", "")
        if not isinstance(root, str):
            raise SettingError(Fault("services.batch.tasks.root", "expected the path of a folder"))
        self.root = os.path.abspath(os.path.expanduser(root)) if root else ""
        try:
            self.limit = int(tasks.get("max_document_bytes", _LIMIT))
        except (TypeError, ValueError):
            self.limit = 0
        if self.limit <= 0:
            raise SettingError(Fault("services.batch.tasks.max_document_bytes", "expected a positive number"))

    def check(self, text: str) -> str | None:
        """Returns why an input can never be read; None if it may be. Reads nothing: a file may not exist yet."""
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
        """Returns the bytes that an input names and their media type, "" for a file. Raises Rejected, TaskError."""
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
            raise Rejected("the data URI is malformed; expected data:[type/subtype][;attribute=value][;base64],data")
        if found["base64"] and (len(text) - found.end()) // 4 * 3 > 3 * self.limit:  # every byte may be percent-encoded
            self._check_size((len(text) - found.end()) // 4, "the data URI")
        return found

    def _data(self, text: str) -> tuple[bytes, str]:
        found = self._data_form(text)
        data = unquote_to_bytes(text[found.end() :])
        if found["base64"]:
            try:
                data = base64.b64decode(_WHITE.sub(b"", data), validate=True)
            except binascii.Error as error:
                raise Rejected(f"the data URI has invalid base64: {error}") from None
        self._check_size(len(data), "the data URI")
        # RFC 2397, section 2: the default is text/plain in US-ASCII.
        return data, (found["type"] or "text/plain").lower() + (found["parameters"] or "")

    def _parts(self, text: str) -> list[str]:
        """Returns the names on the path from the root to a file."""
        if not text:
            raise Rejected("the input is empty; expected a path, a data URI, or blob: and an id")
        if _URL.match(text):
            raise Rejected(f"{_shown(text)} is a URL; expected a path, a data URI, or blob: and an id")
        if not self.root:
            raise Rejected("the server has no folder for paths; set services.batch.tasks.root")
        if "\0" in text:
            raise Rejected(f"{_shown(text)} contains the character U+0000")
        if len(text) > _PATH_BYTES or any(len(part.encode(errors="replace")) > _NAME_BYTES for part in text.split("/")):
            raise Rejected(f"{_shown(text)} is too long for a path")
        if text.startswith("/"):
            raise Rejected(f"{_shown(text)} is an absolute path; expected one relative to the server's folder")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Rejected(f"{_shown(text)} contains ..; paths must stay below the server's folder")
        if not parts or text.endswith("/"):
            raise Rejected(f"{_shown(text)} is a folder")
        return parts

    def _look(self, parts: list[str], text: str) -> None:
        """Refuse a path through a symbolic link or to something other than a file, as far as it exists now."""
        place = self.root
        for number, part in enumerate(parts, 1):
            place = f"{place}/{part}"
            try:
                mode = os.lstat(place).st_mode
            except OSError:
                return  # it may be created later, or exist on the worker's machine
            _check_kind(mode, text, last=number == len(parts))

    def _file(self, parts: list[str], text: str) -> bytes:
        """Read a file below the root, opened name by name, so that the checked file is the one that is read."""
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
            raise _read_error(error, text) from None
        finally:
            if folder >= 0:
                os.close(folder)
        self._check_size(len(data), _shown(text))
        return data

    def _check_size(self, size: int, what: str) -> None:
        if size > self.limit:
            raise Rejected(f"{what} is larger than {self.limit:,} bytes, the maximum")


def check_input(text: str, settings: BatchSettings) -> str | None:
    """Returns why an input can never be read as a document; None if it may be. For many inputs keep a `Documents`."""
    return Documents(settings.tasks).check(text)


def _open(name: str, folder: int, text: str, *, last: bool) -> int:
    _check_kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode, text, last=last)
    # O_NONBLOCK: the file may have been replaced by a pipe, whose opening would wait for a writer.
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
        raise Rejected(f"{_shown(text)} leads through a symbolic link, which is not allowed")
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
        raise Rejected("invalid blob; expected blob: and the 64 hexadecimal digits of its id")
    return found[1]


def _read_error(error: OSError, text: str) -> TaskError:
    if error.errno in _TRANSIENT:
        return TaskError(f"cannot read {_shown(text)}: {error.strerror}")
    if error.errno == errno.ENOENT:
        return Rejected(f"there is no file {_shown(text)}")
    if error.errno == errno.ELOOP:
        return Rejected(f"{_shown(text)} leads through a symbolic link, which is not allowed")
    reason = "unknown reason"
    with suppress(TypeError, ValueError):
        reason = os.strerror(error.errno or 0)
    return Rejected(f"cannot read {_shown(text)}: {reason}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
