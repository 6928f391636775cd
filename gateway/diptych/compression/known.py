"""The codings of this process: those whose library is installed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from .codings import Coding, Deflate, Gzip

_FOR_STREAMS = (b"zstd", b"gzip", b"br")
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
"""The codings of HTTP's answers, the best first: for 30 KB of JSON zstd took 46 µs and left
11 %, br 91 and 10, gzip 60 and 16. Without deflate, of which clients have two readings (RFC 9110 section 8.4.1.2)."""
STREAMS: tuple[Coding, ...] = tuple(sorted(ANSWERS, key=lambda coding: _FOR_STREAMS.index(coding.name)))
"""The same for streams, of which thousands may be open: one takes 60 KiB with gzip, 110 with zstd and 300 with br."""
