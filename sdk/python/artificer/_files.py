"""Files that a caller hands to a method: a path, bytes, an open binary file, or pieces."""

from __future__ import annotations

import contextlib
import io
import mimetypes
import os
import secrets
import stat
from collections.abc import AsyncIterable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

FileInput: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | Iterable[bytes] | AsyncIterable[bytes]
"""A path (str or PathLike), the bytes themselves, a file opened for reading bytes, or an iterable of bytes."""

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file to send: its name and media type where they are known, its size, and what it is read from."""

    source: bytes | str | BinaryIO | Iterable[bytes] | AsyncIterable[bytes]
    name: str
    content_type: str
    size: int | None

    @classmethod
    def of(cls, given: FileInput) -> File:
        """Looks at what a caller gave. Raises OSError for a path that cannot be read, TypeError for anything else."""
        if isinstance(given, bytes | bytearray | memoryview):
            content = bytes(given)
            return cls(content, "", "", len(content))
        if isinstance(given, str | os.PathLike):
            path = os.fsdecode(given)
            size = os.stat(path).st_size if os.path.isfile(path) else None
            return cls(path, _name(path), mimetypes.guess_type(path)[0] or "", size)
        if isinstance(given, io.TextIOBase):
            raise TypeError("the file is opened for text; open it for bytes, with mode 'rb'")
        if hasattr(given, "read"):
            name = getattr(given, "name", "")
            name = _name(os.fsdecode(name)) if isinstance(name, str | bytes) else ""
            return cls(given, name, mimetypes.guess_type(name)[0] or "", _left(given))
        if isinstance(given, AsyncIterable | Iterable):
            return cls(given, "", "", None)
        raise TypeError(f"a file is a path, bytes, a binary file or pieces of bytes, not {type(given).__name__}")

    @property
    def repeatable(self) -> bool:
        """Whether it can be read a second time, for another attempt: a path may be that of a pipe."""
        return isinstance(self.source, bytes) or (isinstance(self.source, str) and self.size is not None)

    def pieces(self) -> Iterator[bytes]:
        """Yields the content in pieces; blocks for a path or a file. Raises TypeError for what gives no bytes."""
        if isinstance(self.source, bytes):
            for start in range(0, len(self.source), PIECE_BYTES):
                yield self.source[start : start + PIECE_BYTES]
        elif isinstance(self.source, str):
            with open(self.source, "rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
        elif hasattr(self.source, "read"):
            while piece := piece_of(self.source.read(PIECE_BYTES)):
                yield piece
        elif isinstance(self.source, Iterable):
            yield from map(piece_of, self.source)
        else:
            raise TypeError("asynchronous pieces need AsyncArtificer")


def _name(path: str) -> str:
    """Returns the name of a file as text that can be sent: Linux allows names that are not UTF-8."""
    return os.fsencode(os.path.basename(path)).decode(errors="replace")


def piece_of(given: Any) -> bytes:
    """Returns a piece of a file. Raises TypeError for text, whose encoding is unknown."""
    if isinstance(given, bytes):
        return given
    if isinstance(given, bytearray | memoryview):
        return bytes(given)
    raise TypeError(f"a file consists of pieces of bytes, not of {type(given).__name__}")


def _left(file: Any) -> int | None:
    try:
        position = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(position)
    except (OSError, AttributeError, ValueError):
        return None
    return int(end - position)


class WholeFile:
    """A file that appears under its name only when it is whole: it is written beside it and then renamed.

    A pipe or a device is written as it is.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.path.realpath(path)
        self._written = 0
        folder = os.path.dirname(self._path)
        is_special = os.path.exists(self._path) and not os.path.isfile(self._path)
        self._beside = None if is_special else os.path.join(folder, f".artificer-{secrets.token_hex(8)}")
        try:
            self._file = open(self._beside or self._path, "wb" if is_special else "xb")  # noqa: SIM115, closed by `keep`
            if self._beside is not None:
                self._take_mode()
        except OSError as error:
            if not is_special:
                error.filename = folder  # the name of the temporary file would say nothing
            raise

    def _take_mode(self) -> None:
        """A file that only its owner may read stays so when it is replaced."""
        with contextlib.suppress(OSError):  # there is none yet, or the file system has no modes
            os.fchmod(self._file.fileno(), stat.S_IMODE(os.stat(self._path).st_mode))

    def write(self, piece: bytes) -> None:
        """Appends bytes."""
        self._file.write(piece)
        self._written += len(piece)

    def keep(self) -> int:
        """Puts the file in its place; returns the number of its bytes."""
        try:
            self._file.close()
            if self._beside is not None:
                os.replace(self._beside, self._path)
        except OSError as error:
            self.discard()
            if error.filename == self._beside:
                error.filename, error.filename2 = self._path, None
            raise
        return self._written

    def discard(self) -> None:
        """Removes what was written."""
        with contextlib.suppress(OSError):  # of a full disk, which the caller knows of already
            self._file.close()
        if self._beside is not None:
            with contextlib.suppress(OSError):  # its folder may have vanished
                os.unlink(self._beside)
