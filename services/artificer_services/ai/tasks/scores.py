"""The score that an answer gives itself: a number in its JSON, named by a JSON pointer (RFC 6901).

Pure.
"""

from __future__ import annotations

import json


def score_of(text: str, pointer: str) -> float:
    """Returns the number at a JSON pointer of an answer. Raises ValueError if there is none in 0..1."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON, so it has no score") from None
    for name in steps_of(pointer):
        try:
            value = value[int(name) if isinstance(value, list) else name]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"it has nothing at {pointer[:64]!r}") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"the value at {pointer[:64]!r} is not a number from 0 to 1")
    return float(value)


def steps_of(pointer: str) -> list[str]:
    """Returns the names and indices of a JSON pointer. Raises ValueError."""
    if not pointer.startswith("/"):
        raise ValueError(f"must be a JSON pointer such as /score, not {pointer[:64]!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]
