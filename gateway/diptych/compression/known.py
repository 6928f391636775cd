"""The codings of this process: those whose library is installed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from .codings import Coding, Deflate, Gzip

_found: list[Coding] = [Gzip(), Deflate()]
_better: list[Coding] = []
with suppress(ImportError):
    from .brotli import Brotli

    _better.append(Brotli())
with suppress(ImportError):
    from .zstandard import Zstandard

    _better.insert(0, Zstandard())

CODINGS: Mapping[bytes, Coding] = {coding.name: coding for coding in (*_better, *_found)}
"""The codings by name."""
ANSWERS: tuple[Coding, ...] = (*_better, _found[0])
"""The codings of HTTP's answers, the best first: zstd takes a third of gzip's time and br compresses best. Without
deflate, of which clients have two readings (RFC 9110 section 8.4.1.2)."""
