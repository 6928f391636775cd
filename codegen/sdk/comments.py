"""Comments of the contracts as they begin in docstrings: without labels and without the name of what they are about."""

from __future__ import annotations

import re

_LABELS = re.compile(r"^(Required|Optional|Output only|Input only|Immutable|Identifier)\. ")


def field(text: str) -> str:
    """Returns the comment of a field without the label that repeats its google.api.field_behavior."""
    return _LABELS.sub("", text)


def noun(text: str, name: str) -> str:
    """Returns the comment of a message, an enum or a value without its name: "Job is what..." becomes "What..."."""
    found = re.match(rf"{name} (?:is|means(?: that)?|are) (?=\S)", text)
    rest = text[found.end() :] if found else text
    return rest[:1].upper() + rest[1:]
