"""Content codings: which there are, which one a client prefers, and compressing and decompressing in each.

It knows no protocol and no message. `gzip` and `deflate` are always there, `br` and `zstd` with the extra
`compression`.
"""

from .accept import preferred
from .codings import Coding, Deflater, Inflater, Malformed, Truncated
from .known import ANSWERS, CODINGS, STREAMS

__all__ = ["ANSWERS", "CODINGS", "STREAMS", "Coding", "Deflater", "Inflater", "Malformed", "Truncated", "preferred"]
