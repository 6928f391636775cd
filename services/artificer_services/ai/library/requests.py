"""Checks what requests say of collections, documents and queries.

Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy

from ...kit.errors import Fault, Invalid
from ...kit.names import character_faults
from ..models.values import Vectors
from .settings import LibrarySettings

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_NAME = 255  # characters of a name for people
_LONGEST_KEY, _LONGEST_VALUE = 64, 512  # characters; PostgreSQL's indexes take 2,704 bytes of both
CHUNK_TOKENS = (32, 256, 2048)  # the least, the default, the most
MOST_PASSAGES, MOST_MATCHES = 100, 1000
_MOST_COLLECTIONS = 32  # of one search


def check(*faults: Fault) -> None:
    """Raise Invalid if there are faults."""
    if faults:
        raise Invalid(*faults)


def id_faults(field: str, id_: str) -> Iterator[Fault]:
    """Yields the fault of an id that a client chose."""
    if not may_be_id(id_):
        text = "must be 1 to 64 letters of ASCII, digits, `-`, `_` and `.`, the first a letter or a digit"
        yield Fault(field, text)


def may_be_id(id_: str) -> bool:
    """Whether a collection or a document can have this id. PostgreSQL cannot even look for one with U+0000."""
    return _ID.fullmatch(id_) is not None


def name_faults(field: str, name: str, longest: int = _LONGEST_NAME) -> Iterator[Fault]:
    """Yields the faults of a name for people."""
    if len(name) > longest:
        yield Fault(field, f"must have at most {longest} characters, but has {len(name):,}")
    yield from character_faults(field, name)


def metadata_faults(field: str, metadata: Mapping[str, str], most: int) -> Iterator[Fault]:
    """Yields the faults of a document's metadata, and of a filter."""
    if len(metadata) > most:
        yield Fault(field, f"must have at most {most} entries, but has {len(metadata)}")
        return
    for name, value in metadata.items():
        place = f"{field}[{name[:64]!r}]"
        if not name:
            yield Fault(place, "the name must not be empty")
        yield from name_faults(place, name, _LONGEST_KEY)
        yield from name_faults(place, value, _LONGEST_VALUE)


def chunk_sizes(tokens: int, overlap: int | None, *, strict: bool = True) -> tuple[int, int]:
    """Returns the tokens of chunks and their overlap; 0 and None mean the defaults.

    Raises Invalid. Unless `strict`, an overlap that is too large is reduced.
    """
    least, default, most = CHUNK_TOKENS
    if tokens and not least <= tokens <= most:
        raise Invalid(Fault("chunk_tokens", f"must be from {least} to {most}, but is {tokens}"))
    tokens = tokens or default
    if overlap is None:
        return tokens, tokens // 8
    if overlap < 0 or (strict and overlap > tokens // 2):
        raise Invalid(
            Fault("chunk_overlap", f"must be from 0 to {tokens // 2}, half of chunk_tokens, but is {overlap}")
        )
    return tokens, min(overlap, tokens // 2)


def text_faults(field: str, text: str, settings: LibrarySettings) -> Iterator[Fault]:
    """Yields the fault of a text that is looked for."""
    if not text.strip():
        yield Fault(field, "must not be empty")
    elif len(text) > settings.max_query_chars:
        yield Fault(field, f"must have at most {settings.max_query_chars:,} characters, but has {len(text):,}")


def count_faults(field: str, count: int, most: int) -> Iterator[Fault]:
    """Yields the fault of a number of results."""
    if not 1 <= count <= most:
        yield Fault(field, f"must be from 1 to {most}, but is {count}")


def unit(field: str, values: Sequence[float], dimension: int) -> Vectors:
    """Returns a vector of a client with the length 1. Raises Invalid."""
    if len(values) != dimension:
        text = f"must have {dimension} values, as the vectors of the collection's model, but has {len(values)}"
        raise Invalid(Fault(field, text))
    vector = numpy.asarray(values, numpy.float64)
    if not numpy.isfinite(vector).all():
        raise Invalid(Fault(field, "must have finite values only"))
    # Divided first, since the squares of large values are infinite.
    largest = float(numpy.abs(vector).max(initial=0.0))
    if largest == 0.0:
        raise Invalid(Fault(field, "must not have zeros only"))
    vector = vector / largest
    result: Vectors = (vector / numpy.linalg.norm(vector)).astype(numpy.float32)
    return result


def score_faults(field: str, score: float | None) -> Iterator[Fault]:
    """Yields the fault of a least similarity."""
    if score is not None and not (math.isfinite(score) and -1.0 <= score <= 1.0):
        yield Fault(field, f"must be from -1 to 1, but is {score}")


def collection_faults(collections: Sequence[str]) -> Iterator[Fault]:
    """Yields the fault of the number of collections of a search."""
    if not collections:
        yield Fault("collection", "at least one collection is needed")
    elif len(collections) > _MOST_COLLECTIONS:
        yield Fault("collection", f"at most {_MOST_COLLECTIONS} collections can be searched at once")
