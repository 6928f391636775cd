"""Checks an archive (docx, odt, epub) before Pandoc unpacks it: a zip file of a megabyte can unpack to a petabyte.

Trusts no size that the archive states: unpacks every file, keeps nothing, and stops at the limit.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import BinaryIO

from .errors import BadDocument, TooLarge

_ENTRIES = 10_000  # files in one archive; a book of a thousand chapters and pictures has two thousand
_PIECE = 1 << 20
_RATIO = 200  # bytes unpacked per packed byte of one file; XML of offices reaches 50, and zlib's maximum is 1030
_FREE = 1 << 24  # bytes unpacked before the ratio counts: a short file of spaces is no bomb
_MIMETYPE = 128  # bytes of the file that names the format
_ENCRYPTED = 0x1


def inspect(file: BinaryIO, size: int, limit: int) -> tuple[frozenset[str], bytes]:
    """Returns the names of the files and the beginning of the file `mimetype`. Raises BadDocument, TooLarge."""
    if size > 1 << 16:
        _count(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > _ENTRIES:
                raise TooLarge(f"the document has more than {_ENTRIES:,} files inside, the limit", "data")
            if sum(entry.file_size for entry in entries) > limit:
                raise TooLarge(f"the document unpacks to more than {limit:,} bytes, the limit", "data")
            left = limit
            for entry in entries:
                left -= _unpacked(file, archive, entry, left, limit)
            mimetype = b""
            if "mimetype" in archive.NameToInfo:
                with archive.open("mimetype") as opened:
                    mimetype = opened.read(_MIMETYPE)
            return frozenset(archive.NameToInfo), mimetype
    except (BadDocument, TooLarge, MemoryError):
        raise
    except Exception as error:
        raise BadDocument("the document is damaged: it is no complete zip archive", "data") from error


def _count(file: BinaryIO, size: int) -> None:
    """Raise TooLarge for more entries than the directory may have, before any is parsed."""
    count, tail = 0, b""
    file.seek(0)
    while piece := file.read(_PIECE):
        joined = tail + piece
        count += joined.count(b"PK\x01\x02")
        tail = joined[-3:]
        if count > 2 * _ENTRIES:  # an archive may hold archives, which have directories of their own
            raise TooLarge(f"the document has more than {_ENTRIES:,} files inside, the limit", "data")


def _unpacked(file: BinaryIO, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int, limit: int) -> int:
    """Returns the real size of a file in the archive, as Pandoc unpacks it: by the packed size and to the end."""
    if entry.flag_bits & _ENCRYPTED:
        raise BadDocument("the document has a password", "data")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadDocument("the document is packed by a method that offices do not use", "data")
    file.seek(entry.header_offset)
    header = file.read(30)
    if not header.startswith(b"PK\x03\x04"):
        raise BadDocument("the document is damaged: its directory points nowhere", "data")
    skip = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    file.seek(entry.header_offset + 30 + skip)
    rest, size = entry.compress_size, 0
    unpack = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    while rest > 0 and (packed := file.read(min(rest, _PIECE))):
        rest -= len(packed)
        size += len(packed) if unpack is None else _inflated(unpack, packed, left - size)
        if size > left:
            raise TooLarge(f"the document unpacks to more than {limit:,} bytes, the limit", "data")
        if size > _FREE and size > _RATIO * max(entry.compress_size, 1):
            raise TooLarge(f"a file in the document unpacks to more than {_RATIO} times its size", "data")
    return size


def _inflated(unpack: zlib._Decompress, packed: bytes, most: int) -> int:
    """Returns how many bytes a piece unpacks to, or a number above `most`."""
    size = 0
    while packed and size <= most:
        size += len(unpack.decompress(packed, _PIECE))
        packed = unpack.unconsumed_tail
    return size
