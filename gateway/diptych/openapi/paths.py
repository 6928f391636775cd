"""Converts path templates to OpenAPI, where a parameter cannot contain a slash.

`{name=kitchens/*/dishes/*}` becomes `kitchens/{kitchen}/dishes/{dish}`, as in Google's gnostic, so that any client
builds the right URL. It knows no schema.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from ..fields import FieldPath
from ..rules import Binding
from ..template import REST, Segment, Variable

_PARAMETER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One parameter of a path.

    `field` is the field it sets, None for a bare wildcard; `whole` is False if it is only a part of the field's value,
    which has the form `pattern`; `rest` is True if it may contain several segments.
    """

    name: str
    field: FieldPath | None
    whole: bool
    rest: bool
    pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A path and its parameters, in order."""

    text: str
    parts: tuple[Part, ...]

    @property
    def shape(self) -> str:
        """Returns the path without its parameters' names; OpenAPI treats paths with equal shapes as identical."""
        return shape(self.text)

    def named(self, names: Sequence[str]) -> Path:
        """Returns the path with other names for its parameters, in order; the names are not part of a URL."""
        if all(part.name == name for part, name in zip(self.parts, names, strict=True)):
            return self
        following = iter(names)
        text = _PARAMETER.sub(lambda _: f"{{{next(following)}}}", self.text)
        new = {part.name: name for part, name in zip(self.parts, names, strict=True)}
        parts = tuple(
            replace(
                part,
                name=new[part.name],
                pattern=_PARAMETER.sub(lambda found: f"{{{new[found.group()[1:-1]]}}}", part.pattern),
            )
            for part in self.parts
        )
        return Path(text=text, parts=parts)


def shape(path: str) -> str:
    """Returns an OpenAPI path without its parameters' names."""
    return _PARAMETER.sub("{}", path)


def parameters(path: str) -> list[str]:
    """Returns the names of an OpenAPI path's parameters, in order."""
    return [found.group()[1:-1] for found in _PARAMETER.finditer(path)]


def expand(binding: Binding, *, preserve_names: bool) -> Path:
    """Converts a binding's template to an OpenAPI path."""
    template = binding.template
    owners = {at: pair for pair in binding.variables for at in range(pair[0].start, pair[0].end)}
    parts: dict[int, Part] = {}
    texts: list[str] = []
    for at, segment in enumerate(template.segments):
        if segment.kind == "literal":
            texts.append(quote(segment.literal, safe="!$&'()*+,;=:@~"))
            continue
        taken = {part.name for part in parts.values()}
        parts[at] = _part(template.segments, at, owners.get(at), preserve_names, taken)
        texts.append(f"{{{parts[at].name}}}")
    for at, (variable, _) in owners.items():
        if at in parts:
            parts[at] = replace(parts[at], pattern="/".join(texts[variable.start : variable.end]))
    verb = f":{quote(template.verb)}" if template.verb else ""
    return Path(text=f"/{'/'.join(texts)}{verb}", parts=tuple(parts.values()))


def _part(
    segments: Sequence[Segment],
    at: int,
    owner: tuple[Variable, FieldPath] | None,
    preserve_names: bool,
    taken: set[str],
) -> Part:
    rest = segments[at].kind == REST
    if owner is None:
        name, field, whole = "wildcard", None, False
    else:
        variable, field = owner
        whole = variable.end - variable.start == 1
        name = ".".join(one.name if preserve_names else one.json_name for one in field.fields)
        if not whole and not rest and at > 0 and segments[at - 1].kind == "literal":
            name = _singular(segments[at - 1].literal) or name
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    return Part(name=unique, field=field, whole=whole, rest=rest)


def _singular(collection: str) -> str:
    """Returns the singular of a collection's name: kitchens → kitchen, dishes → dish, entries → entry."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", collection).strip("_")
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    if re.search(r"(?:ss|sh|ch|x|z)es$", name):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
