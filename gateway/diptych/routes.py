"""The trie of path templates, and what a look-up in it can say.

It knows no method and no message: a route carries a target it does not look into. Built once; a request only walks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote, unquote

from .status import Violation, invalid
from .template import ANY, REST, Template

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[T]):
    """A verb and a template that lead to `target`."""

    verb: str
    template: Template
    target: T

    def __str__(self) -> str:
        return f"{self.verb} {self.template}"


# A named tuple, since one is made for each request and a frozen dataclass takes three times as long.
class Match(NamedTuple, Generic[T]):
    """A route and the decoded text of its variables, in their order."""

    route: Route[T]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No template has this shape."""


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """Templates have this shape, for other verbs."""

    allowed: tuple[str, ...]


class RouteConflict(ValueError):
    """Two routes that no request could tell apart; who added them can say by `target` where each comes from."""

    def __init__(self, route: Route[T], before: Route[T]) -> None:
        super().__init__(f"{route} has the same shape as {before}: both are {route.verb} {route.template.shape}")
        self.route, self.before = route, before


class _Entry(NamedTuple, Generic[T]):
    """A route, and what is worked out of its template once.

    `starts`: where in a split path the variables stand, if each is one segment. `loose`: whether some of the path may
    be anything and is no variable's.
    """

    route: Route[T]
    starts: tuple[int, ...] | None
    loose: bool


class _Leaf(Generic[T]):
    """What one shape leads to, by verb; HEAD follows GET."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[str, _Entry[T]] = {}

    @property
    def allowed(self) -> set[str]:
        return {*self.entries, "OPTIONS"}

    def add(self, route: Route[T]) -> None:
        before = self.entries.get(route.verb)
        if before is not None and before.route.verb == route.verb:
            raise RouteConflict(route, before.route)
        variables = route.template.variables
        single = not any(variable.multi for variable in variables)
        covered = {at for variable in variables for at in range(variable.start, variable.end)}
        entry = _Entry(
            route,
            starts=tuple(1 + variable.start for variable in variables) if single else None,
            loose=any(
                segment.kind in (ANY, REST) and at not in covered for at, segment in enumerate(route.template.segments)
            ),
        )
        self.entries[route.verb] = entry
        if route.verb == "GET":
            self.entries.setdefault("HEAD", entry)


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    any: _Node[T] | None = None
    # By the literals after "**": how many there are, what they are, and where they lead.
    rest: list[tuple[tuple[str, ...], dict[str | None, _Leaf[T]]]] = field(default_factory=list)
    leaves: dict[str | None, _Leaf[T]] = field(default_factory=dict)


class RouteTable(Generic[T]):
    """Routes by shape: literal before `*` before `**`, segment by segment, with backtracking; never by order."""

    def __init__(self, routes: Iterable[Route[T]] = ()) -> None:
        self._root: _Node[T] = _Node()
        self._routes: list[Route[T]] = []
        self._verbs: set[str] = set()
        for route in routes:
            self.add(route)

    def __iter__(self) -> Iterator[Route[T]]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)

    def add(self, route: Route[T]) -> None:
        """Raises `RouteConflict` where a route of the same verb and shape stands already."""
        self._leaf(route.template).add(route)
        self._routes.append(route)
        if route.template.verb:
            self._verbs.add(route.template.verb)

    def _leaf(self, template: Template) -> _Leaf[T]:
        node = self._root
        for index, segment in enumerate(template.segments):
            if segment.kind == REST:
                tail = tuple(after.literal for after in template.segments[index + 1 :])
                for known, leaves in node.rest:
                    if known == tail:
                        return leaves.setdefault(template.verb, _Leaf())
                leaves = {template.verb: _Leaf()}
                node.rest.append((tail, leaves))
                node.rest.sort(key=lambda one: -len(one[0]))  # more literals are more specific
                return leaves[template.verb]
            if segment.kind == ANY:
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literals.setdefault(segment.literal, _Node())
        return node.leaves.setdefault(template.verb, _Leaf())

    def match(self, verb: str, path: str) -> Match[T] | NoRoute | WrongMethod:
        """Look a raw path up: percent-encoded, from "/", without the query, a character a byte (latin-1).

        Raises INVALID_ARGUMENT where a matched path holds a malformed escape or bytes that are not UTF-8.
        """
        if not path.isascii():
            path = _escape(path)
        raw = _split(path)
        escaped = "%" in path
        plain = [unquote(segment) if "%" in segment else segment for segment in raw] if escaped else raw
        last = raw[-1]
        if ":" in last and (custom := self._custom(last)) is not None:
            head = last[: last.rindex(":")]
            entry = _find(self._root, [*plain[:-1], unquote(head)], custom, verb)
            if entry is not None:
                return Match(entry.route, _values(entry, [*raw[:-1], head], escaped))
        entry = _find(self._root, plain, None, verb)
        if entry is not None:
            return Match(entry.route, _values(entry, raw, escaped))
        allowed = {name for leaf in self._fitting(raw) for name in leaf.allowed}
        return WrongMethod(tuple(sorted(allowed))) if allowed else NoRoute()

    def shaped(self, path: str) -> list[Route[T]]:
        """Every route whose shape fits the path, for whatever verb, best first; `explain` shows them."""
        found: list[Route[T]] = []
        for leaf in self._fitting(_split(_escape(path))):
            found.extend(entry.route for entry in leaf.entries.values() if entry.route not in found)
        return found

    def _custom(self, last: str) -> str | None:
        """The verb at the end of a path, where such a verb is registered and something stands before it."""
        head, _, custom = last.rpartition(":")
        custom = unquote(custom)
        return custom if head and custom in self._verbs else None

    def _fitting(self, raw: list[str]) -> Iterator[_Leaf[T]]:
        plain = [unquote(segment) for segment in raw]
        custom = self._custom(raw[-1])
        if custom is not None:
            head = raw[-1].rpartition(":")[0]
            yield from _walk(self._root, [*plain[:-1], unquote(head)], 1, custom)
        yield from _walk(self._root, plain, 1, None)


_ASCII = "".join(map(chr, range(128)))


def _escape(path: str) -> str:
    """The path with every byte escaped that a URI must not hold as it is."""
    return quote(path.encode("latin-1", "replace"), safe=_ASCII)


def _split(path: str) -> list[str]:
    """The segments, after the nothing that stands before the first slash; "/" has none, and no other path ends so."""
    if not path.startswith("/"):
        return ["", ""]  # matches nothing, as any empty segment does
    return path.split("/") if path != "/" else [""]


def _find(node: _Node[T], segments: list[str], custom: str | None, verb: str) -> _Entry[T] | None:
    """The best route for the verb; like `_walk`, which names every leaf, but one loop, for the hot path.

    `untried` holds nodes whose literal was tried before their `*`, and nodes whose `**` comes after both.
    """
    at, end = 1, len(segments)
    untried: list[tuple[_Node[T], int, bool]] | None = None
    while True:
        below: _Node[T] | None = None
        wild = False
        if at == end:
            leaf = node.leaves.get(custom)
            if leaf is not None and (entry := leaf.entries.get(verb)) is not None:
                return entry
        else:
            segment = segments[at]
            below = node.literals.get(segment)
            if segment:
                if below is None:
                    below = node.any
                else:
                    wild = node.any is not None
        if wild or node.rest:
            untried = untried or []
            untried.append((node, at, wild))
        while below is None:
            if not untried:
                return None
            node, at, wild = untried.pop()
            if wild:
                below = node.any
                if node.rest:
                    untried.append((node, at, False))
            else:
                for leaf in _rest(node, segments, at, custom):
                    if (entry := leaf.entries.get(verb)) is not None:
                        return entry
        node, at = below, at + 1


def _walk(node: _Node[T], segments: list[str], at: int, custom: str | None) -> Iterator[_Leaf[T]]:
    """Every leaf that fits, best first."""
    if at == len(segments):
        leaf = node.leaves.get(custom)
        if leaf is not None:
            yield leaf
    else:
        segment = segments[at]
        literal = node.literals.get(segment)
        if literal is not None:
            yield from _walk(literal, segments, at + 1, custom)
        if node.any is not None and segment:
            yield from _walk(node.any, segments, at + 1, custom)
    yield from _rest(node, segments, at, custom)


def _rest(node: _Node[T], segments: list[str], at: int, custom: str | None) -> Iterator[_Leaf[T]]:
    for tail, leaves in node.rest:
        leaf = leaves.get(custom)
        end = len(segments) - len(tail)
        if leaf is not None and end >= at and tuple(segments[end:]) == tail and "" not in segments[at:end]:
            yield leaf


_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLASH = re.compile(r"(%2[Ff])")


def _values(entry: _Entry[T], raw: list[str], escaped: bool) -> tuple[str, ...]:
    """The decoded text of each variable: one segment in full, several but for `%2F` (google/api/http.proto)."""
    if entry.starts is not None and not escaped:
        return tuple([raw[at] for at in entry.starts])
    template = entry.route.template
    beyond = len(raw) - 1 - len(template.segments)  # what "**" took beyond one segment
    values = []
    for variable in template.variables:
        # Nothing but literals follows "**", so only a variable's end can be pushed back by it.
        text = "/".join(raw[1 + variable.start : 1 + variable.end + (beyond if variable.rest else 0)])
        values.append(_decoded(text, variable.path, keep_slash=variable.multi) if "%" in text else text)
    if entry.loose and escaped:
        _decoded("/".join(raw), "", keep_slash=False)  # what nobody reads has to be well-formed all the same
    return tuple(values)


def _decoded(text: str, name: str, *, keep_slash: bool) -> str:
    if _MALFORMED.search(text):
        raise invalid(Violation(name, "the path has a malformed percent escape"))
    try:
        if not keep_slash:
            return unquote(text, errors="strict")
        # Every other part is the escaped slash that was split at.
        parts = _SLASH.split(text)
        parts[::2] = [unquote(part, errors="strict") for part in parts[::2]]
        return "".join(parts)
    except UnicodeDecodeError:
        raise invalid(Violation(name, "the path's percent escapes are not UTF-8")) from None
