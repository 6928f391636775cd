"""Reads `Accept-Encoding` (RFC 9110 section 12.5.3). It knows codings by their names only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from .codings import Coding

# qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), RFC 9110 section 12.4.2
_QVALUE = re.compile(rb"[Qq][ \t]*=[ \t]*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
# Clients send a few different headers, but strangers may send any.
_REMEMBERED, _LONGEST = 256, 256


def preferred(header: bytes | None, offered: tuple[Coding, ...]) -> Coding | None:
    """Returns the offered coding that the client prefers, the first of several; None for none (identity)."""
    if not header:
        return None
    return _preferred(header, offered) if len(header) <= _LONGEST else _read(header, offered)


@lru_cache(_REMEMBERED)
def _preferred(header: bytes, offered: tuple[Coding, ...]) -> Coding | None:
    return _read(header, offered)


def _read(header: bytes, offered: Sequence[Coding]) -> Coding | None:
    weights: dict[bytes, float] = {}
    for part in header.lower().split(b","):
        name, semicolon, parameter = part.partition(b";")
        given = _QVALUE.fullmatch(parameter.strip())
        weights[name.strip()] = float(given[1]) if given else 0.0 if semicolon else 1.0
    if b"gzip" not in weights and b"x-gzip" in weights:  # equivalent, RFC 9110 section 8.4.1.3
        weights[b"gzip"] = weights[b"x-gzip"]
    others = weights.get(b"*", 0.0)
    found = max(offered, key=lambda coding: weights.get(coding.name, others), default=None)
    if found is None:
        return None
    weight = weights.get(found.name, others)
    return found if weight > 0 and weight >= weights.get(b"identity", 0.0) else None
