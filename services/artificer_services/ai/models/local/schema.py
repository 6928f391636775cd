"""Finds bounds in JSON schemas that no value can keep.

Pure. llama.cpp makes grammars of such schemas without end: it takes gigabytes of memory within seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

_BOUNDS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))
_REPEATED = re.compile(r"\{\s*(\d+)\s*,\s*(\d+)\s*\}")


def impossible(schema: Any) -> str:
    """Returns what is wrong with the first such bound of a schema, or of one in it; empty if there is none."""
    for one in _tables(schema):
        for least, most in _BOUNDS:
            if _number(one.get(least), 0) > _number(one.get(most), math.inf):
                return f"{least} is above {most}"
        pattern = one.get("pattern")
        for repeated in _REPEATED.finditer(pattern) if isinstance(pattern, str) else ():
            low, high = (number.lstrip("0") or "0" for number in repeated.groups())
            if (len(low), low) > (len(high), high):  # as numbers, which may have any number of digits
                return f"the pattern has {repeated[0][:64]}, whose least number is above its most"
    return ""


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _tables(one)


def _number(value: Any, otherwise: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
