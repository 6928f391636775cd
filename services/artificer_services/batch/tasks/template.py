"""Templates: text with names in it, and no logic.

Owns the grammar and the filling in. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .api import PhaseView, Rejected, Work

# template = *( text / escaped / tag )
# escaped  = "\{{"                                  ; two braces, as they are
# tag      = "{{" *SP name *SP "}}"
# name     = "input" / "item_input" / ( "metadata." / "outputs." ) key     ; a key is anything without braces
_TAG = re.compile(r"\\\{\{|\{\{([^{}]*)\}\}|\{\{")

_PLAIN = ("input", "item_input")
_KEYED = ("metadata", "outputs")


@dataclass(frozen=True, slots=True)
class _Name:
    group: str
    key: str = ""


class Template:
    """A template that has been found good."""

    def __init__(self, text: str, before: tuple[str, ...] | None = None) -> None:
        """`before` are the phases whose outputs there are, where that is known. Raises ValueError."""
        self._parts: list[str | _Name] = []
        start = 0
        for found in _TAG.finditer(text):
            self._parts.append(text[start : found.start()])
            start = found.end()
            self._parts.append("{{" if found[0].startswith("\\") else _name(found[1], found.start(), before))
        self._parts.append(text[start:])

    def fill(self, work: Work, limit: int) -> str:
        """The text for an item, of at most `limit` characters. What is filled in is not looked at for names.

        Raises Rejected for a name that the item does not have.
        """
        parts = [part if isinstance(part, str) else _value(part, work) for part in self._parts]
        if sum(map(len, parts)) > limit:  # before it is put together: a name may stand there a thousand times
            raise Rejected(f"the template makes more than {limit:,} characters of this item")
        return "".join(parts)


def template_kind(phase: PhaseView) -> Callable[[str], Template]:
    """A kind of parameter, see `parameters`: a template in this phase."""
    return lambda text: Template(text, phase.before)


@lru_cache(maxsize=32)
def parsed(text: str) -> Template:
    """The template of a phase, parsed once for its items. Raises Rejected where `check` was never asked."""
    try:
        return Template(text)
    except ValueError as error:
        raise Rejected(f"the template: {error}") from None


def _name(tag: str | None, at: int, before: tuple[str, ...] | None) -> _Name:
    if tag is None:
        raise ValueError(rf"the braces at character {at + 1} hold no name; write \{{{{ for braces that are text")
    text = tag.strip()
    if text in _PLAIN:
        return _Name(text)
    group, dot, key = text.partition(".")
    if group not in _KEYED or not dot or not key:
        raise ValueError(f"{text[:64]!r} is no name: there are input, item_input, metadata.KEY and outputs.PHASE")
    if group == "outputs" and before is not None and key not in before:
        have = ", ".join(before) or "none"
        raise ValueError(f"{text[:64]!r}: no phase of this name comes before this one; there are: {have}")
    return _Name(group, key)


def _value(name: _Name, work: Work) -> str:
    if name.group == "input":
        return work.input
    if name.group == "item_input":
        return work.item_input
    values = work.metadata if name.group == "metadata" else work.outputs
    if name.key not in values:
        what = "metadata" if name.group == "metadata" else "output of a phase"
        raise Rejected(f"the item has no {what} {name.key[:64]!r}, which the template names")
    return values[name.key]
