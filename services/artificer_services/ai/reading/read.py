"""Reads an asset: finds its kind, and asks the reader of this kind.

Knows readers by their interface only.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...kit.errors import Fault, Invalid
from ...kit.names import character_faults
from .detect import detect
from .errors import NoReader
from .values import AssetKind, Reader, Reading

_LONGEST = 255  # characters of a media type and of a file's name


async def read_asset(
    readers: Sequence[Reader],
    data: bytes,
    content_type: str = "",
    filename: str = "",
    *,
    max_chars: int = 10_000_000,
) -> Reading:
    """Returns the text of an asset of at most `max_chars` characters.

    Raises `ServiceError`: Invalid with the field `data`, `content_type` or `filename`, NoReader, and those of readers.
    """
    for field, value in (("content_type", content_type), ("filename", filename)):
        if len(value) > _LONGEST:
            raise Invalid(Fault(field, f"must have at most {_LONGEST} characters"))
        if faults := tuple(character_faults(field, value)):
            raise Invalid(*faults)
    kind = detect(data, content_type, filename)
    reading = await reader_of(readers, kind).read(data, content_type, filename)
    size = sum(len(page.text) for page in reading.pages)
    if size > max_chars:
        raise Invalid(Fault("data", f"the asset has {size:,} characters of text; at most {max_chars:,} are accepted"))
    if not any(page.text.strip() for page in reading.pages):
        raise Invalid(Fault("data", "no text was found in the asset"))
    return reading


def reader_of(readers: Sequence[Reader], kind: AssetKind) -> Reader:
    """Returns the reader of a kind. Raises NoReader."""
    for reader in readers:
        if kind in reader.kinds:
            return reader
    raise NoReader(f"this server cannot read assets of the kind {kind.value}")
