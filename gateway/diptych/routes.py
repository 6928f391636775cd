"""The trie of path templates, and what a look-up in it can say.

It knows no method and no message: a route carries a target it does not look into. Built once; a request only walks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

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


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
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
    """Two routes that no request could tell apart."""


class _Leaf(Generic[T]):
    """What one shape leads to, by verb; HEAD follows GET."""

    __slots__ = ("routes",)

    def __init__(self) -> None:
        self.routes: dict[str, Route[T]] = {}

    @property
    def allowed(self) -> set[str]:
        return {*self.routes, "OPTIONS"}

    def add(self, route: Route[T]) -> None:
        before = self.routes.get(route.verb)
        if before is not None and before.verb == route.verb:
            raise RouteConflict(f"{route} has the same shape as {before}")
        self.routes[route.verb] = route
        if route.verb == "GET":
            self.routes.setdefault("HEAD", route)


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
        """Look a raw path (percent-encoded, from "/", without the query) up.

        Raises INVALID_ARGUMENT where a matched path holds a malformed escape or bytes that are not UTF-8.
        """
        segments = path.split("/")
        if segments[0] or len(segments) < 2:
            return NoRoute()
        del segments[0]
        for raw, custom in self._readings(segments):
            route = _find(self._root, _plain(raw), 0, custom, verb)
            if route is not None:
                return Match(route, _values(route.template, raw))
        allowed = {name for leaf in self._fitting(segments) for name in leaf.allowed}
        return WrongMethod(tuple(sorted(allowed))) if allowed else NoRoute()

    def shaped(self, path: str) -> list[Route[T]]:
        """Every route whose shape fits the path, for whatever verb, best first; `explain` shows them."""
        found: list[Route[T]] = []
        for leaf in self._fitting(path.split("/")[1:]):
            found.extend(route for route in leaf.routes.values() if route not in found)
        return found

    def _readings(self, segments: list[str]) -> Iterator[tuple[list[str], str | None]]:
        """The segments with a registered verb split off the last one, where it has one, then as they are."""
        last = segments[-1]
        if ":" in last:
            head, _, custom = last.rpartition(":")
            if head and custom in self._verbs:
                yield [*segments[:-1], head], custom
        yield segments, None

    def _fitting(self, segments: list[str]) -> Iterator[_Leaf[T]]:
        for raw, custom in self._readings(segments):
            yield from _walk(self._root, _plain(raw), 0, custom)


def _find(node: _Node[T], segments: list[str], at: int, custom: str | None, verb: str) -> Route[T] | None:
    """The best route for the verb; like `_walk`, which names every leaf, but without generators on the hot path."""
    if at == len(segments):
        leaf = node.leaves.get(custom)
        if leaf is not None and (route := leaf.routes.get(verb)) is not None:
            return route
    else:
        segment = segments[at]
        literal = node.literals.get(segment)
        if literal is not None and (route := _find(literal, segments, at + 1, custom, verb)) is not None:
            return route
        if node.any is not None and segment:
            route = _find(node.any, segments, at + 1, custom, verb)
            if route is not None:
                return route
    if node.rest:
        for leaf in _rest(node, segments, at, custom):
            if (route := leaf.routes.get(verb)) is not None:
                return route
    return None


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


def _plain(segments: list[str]) -> list[str]:
    """Segments as literals are compared with: decoded (RFC 3986 section 6.2.2.2), a slash staying escaped."""
    return [unquote(segment) if "%" in segment else segment for segment in segments]


def _values(template: Template, segments: list[str]) -> tuple[str, ...]:
    """The decoded text of each variable: one segment in full, several but for `%2F` (google/api/http.proto)."""
    if not template.variables:
        return ()
    extra = len(segments) - len(template.segments)  # what "**" took beyond one segment
    values = []
    for variable in template.variables:
        if variable.multi:
            # Nothing but literals follows "**", so only a variable's end can be pushed back by it.
            joined = "/".join(segments[variable.start : variable.end + (extra if variable.rest else 0)])
            values.append(_decoded(joined, variable.path, keep_slash=True) if "%" in joined else joined)
        else:
            text = segments[variable.start]
            values.append(_decoded(text, variable.path, keep_slash=False) if "%" in text else text)
    return tuple(values)


def _decoded(text: str, name: str, *, keep_slash: bool) -> str:
    if _MALFORMED.search(text):
        raise invalid(Violation(name, "the path has a malformed percent escape"))
    parts = _SLASH.split(text) if keep_slash else [text]
    try:
        return "".join(part if keep_slash and _SLASH.fullmatch(part) else unquote(part, errors="strict") for part in parts)
    except UnicodeDecodeError:
        raise invalid(Violation(name, "the path's percent escapes are not UTF-8")) from None
