"""Fuses rankings into one by reciprocal ranks (Cormack, Clarke and Büttcher, SIGIR 2009).

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .words import Ranked

_DAMPING = 60  # the constant k of the paper, section 2


def fuse(rankings: Iterable[Sequence[Ranked]]) -> list[Ranked]:
    """Returns the chunks of rankings, which are sorted, with the sums of their reciprocal ranks; the best first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, one in enumerate(ranking, 1):
            scores[one.chunk] = scores.get(one.chunk, 0.0) + 1 / (_DAMPING + rank)
    return merge(Ranked(chunk, score) for chunk, score in scores.items())


def merge(found: Iterable[Ranked]) -> list[Ranked]:
    """Returns chunks whose scores can be compared, the best first, equal ones by their numbers."""
    return sorted(found, key=lambda one: (-one.score, one.chunk))
