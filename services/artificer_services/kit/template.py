"""Templates of task types: text with placeholders and no logic.

Owns the grammar and the substitution. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .task_types import NotDone, Phase, Work

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
    """A valid template."""

    def __init__(self, text: str, before: tuple[str, ...] | None = None) -> None:
        """`before` are the names of the earlier phases, if known. Raises ValueError."""
        self._parts: list[str | _Name] = []
        start = 0
        for found in _TAG.finditer(text):
            self._parts.append(text[start : found.start()])
            start = found.end()
            self._parts.append("{{" if found[0].startswith("\\") else _name(found[1], found.start(), before))
        self._parts.append(text[start:])

    def fill(self, work: Work, limit: int) -> str:
        """Returns the text for an item, at most `limit` characters. Substituted values are not expanded again.

        Raises NotDone for a name that the item does not have.
        """
        parts = [part if isinstance(part, str) else _value(part, work) for part in self._parts]
        if sum(map(len, parts)) > limit:  # before joining: a placeholder may occur a thousand times
            raise NotDone(f"the filled template has more than {limit:,} characters", final=True)
        return "".join(parts)


def template_kind(phase: Phase) -> Callable[[str], Template]:
    """Returns a kind of parameter (see `parameters`) that accepts a template of this phase."""
    return lambda text: Template(text, phase.before)


@lru_cache(maxsize=32)
def parsed(text: str) -> Template:
    """Returns the template of a phase, parsed once for its items. Raises NotDone if it is invalid."""
    try:
        return Template(text)
    except ValueError as error:
        raise NotDone(f"invalid template: {error}", final=True) from None


def _name(tag: str | None, at: int, before: tuple[str, ...] | None) -> _Name:
    if tag is None:
        raise ValueError(rf"invalid braces at character {at + 1}; write \{{{{ for literal braces")
    text = tag.strip()
    if text in _PLAIN:
        return _Name(text)
    group, dot, key = text.partition(".")
    if group not in _KEYED or not dot or not key:
        raise ValueError(f"unknown name {text[:64]!r}; expected input, item_input, metadata.KEY or outputs.PHASE")
    if group == "outputs" and before is not None and key not in before:
        have = ", ".join(before) or "none"
        raise ValueError(f"{text[:64]!r} names no earlier phase; expected one of: {have}")
    return _Name(group, key)


def _value(name: _Name, work: Work) -> str:
    if name.group == "input":
        return work.input
    if name.group == "item_input":
        return work.item_input
    values = work.metadata if name.group == "metadata" else work.outputs
    if name.key not in values:
        what = "metadata" if name.group == "metadata" else "output of a phase"
        raise NotDone(f"the template needs the {what} {name.key[:64]!r}, which the item does not have", final=True)
    return values[name.key]
