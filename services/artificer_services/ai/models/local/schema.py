"""Finds bounds in JSON schemas that no value can keep, and others of which llama.cpp makes grammars without end.

Pure. Such a grammar takes gigabytes of memory within seconds, and holds up all answers of the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

_BOUNDS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))
# llama.cpp (b11549) repeats what follows the first digit of an integer's only bound at most 15 times: a bound with more
# digits has a least number of repetitions that is above the most. With two bounds it counts otherwise.
_LARGE = 10**15
_REPEATED = re.compile(r"\{\s*(\d+)\s*,\s*(\d+)\s*\}")


def impossible(schema: Any) -> str:
    """Returns what is wrong with the first such bound of a schema, or of one in it; empty if there is none."""
    for one in _tables(schema):
        for least, most in _BOUNDS:
            if _number(one.get(least), 0) > _number(one.get(most), math.inf):
                return f"{least} is above {most}"
        if fault := _impossible_numbers(one):
            return fault
        pattern = one.get("pattern")
        for repeated in _REPEATED.finditer(pattern) if isinstance(pattern, str) else ():
            low, high = (number.lstrip("0") or "0" for number in repeated.groups())
            if (len(low), low) > (len(high), high):  # as numbers, which may have any number of digits
                return f"the pattern has {repeated[0][:64]}, whose least number is above its most"
    return ""


def _impossible_numbers(schema: dict[str, Any]) -> str:
    least = max(_number(schema.get(name), -math.inf) for name in ("minimum", "exclusiveMinimum"))
    most = min(_number(schema.get(name), math.inf) for name in ("maximum", "exclusiveMaximum"))
    if least > most:
        return "minimum is above maximum"
    kind = schema.get("type")
    if kind == "integer" or (isinstance(kind, list) and "integer" in kind):
        if least >= _LARGE and most == math.inf:
            return f"the minimum of an integer is {_LARGE:,} or more, for which a maximum is needed too"
        if most <= -_LARGE and least == -math.inf:
            return f"the maximum of an integer is {-_LARGE:,} or less, for which a minimum is needed too"
    return ""


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _tables(one)


def _number(value: Any, otherwise: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
