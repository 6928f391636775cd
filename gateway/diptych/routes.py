"""The trie of path templates, and the results of a look-up.

It knows no method and no message; a route's target is opaque. It is built at start-up, and requests only read it.
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
_Tail = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[T]):
    """A verb and a template that map to `target`."""

    verb: str
    template: Template
    target: T

    def __str__(self) -> str:
        return f"{self.verb} {self.template}"


# One is made for each request: a named tuple or a frozen dataclass takes three times as long to make.
class Match(Generic[T]):
    """A route and the decoded values of its variables, in template order."""

    def __init__(self, route: Route[T], values: tuple[str, ...]) -> None:
        self.route, self.values = route, values


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No template matches the path."""


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """Templates match the path, but only for the verbs in `allowed`."""

    allowed: tuple[str, ...]


class RouteConflict(ValueError):
    """Two routes that match the same requests; `route` and `before` have the targets to report."""

    def __init__(self, route: Route[T], before: Route[T]) -> None:
        super().__init__(f"{route} has the same shape as {before}: both are {route.verb} {route.template.shape}")
        self.route, self.before = route, before


class _Entry(NamedTuple, Generic[T]):
    """A route, and what is computed from its template once.

    `starts` are the variables' indexes in a split path if each is one segment and none follows `**`, else None. `loose`
    is true if the template has a wildcard outside its variables.
    """

    route: Route[T]
    starts: tuple[int, ...] | None
    loose: bool


class _Leaf(Generic[T]):
    """The routes of one shape by verb; HEAD uses GET's route unless it has its own."""

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
        single = not any(variable.multi or variable.after for variable in variables)
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
    # The segments that follow "**", None for "*", and the leaves after them by custom verb.
    rest: list[tuple[_Tail, dict[str | None, _Leaf[T]]]] = field(default_factory=list)
    leaves: dict[str | None, _Leaf[T]] = field(default_factory=dict)


class RouteTable(Generic[T]):
    """Routes by shape: per segment a literal wins over `*`, and `*` over `**`; registration order is irrelevant.

    What follows `**` is compared in the same way from the end of the path.
    """

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
        """Adds a route. Raises `RouteConflict` if one with the same verb and shape exists."""
        self._leaf(route.template).add(route)
        self._routes.append(route)
        if route.template.verb:
            self._verbs.add(route.template.verb)

    def _leaf(self, template: Template) -> _Leaf[T]:
        node = self._root
        for index, segment in enumerate(template.segments):
            if segment.kind == REST:
                tail = tuple(None if after.kind == ANY else after.literal for after in template.segments[index + 1 :])
                for known, leaves in node.rest:
                    if known == tail:
                        return leaves.setdefault(template.verb, _Leaf())
                leaves = {template.verb: _Leaf()}
                node.rest.append((tail, leaves))
                node.rest.sort(key=lambda one: _order(one[0]))
                return leaves[template.verb]
            if segment.kind == ANY:
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literals.setdefault(segment.literal, _Node())
        return node.leaves.setdefault(template.verb, _Leaf())

    def match(self, verb: str, path: str) -> Match[T] | NoRoute | WrongMethod:
        """Looks up a raw path: percent-encoded, starting with "/", without the query, bytes decoded as latin-1.

        Raises INVALID_ARGUMENT if a matched path has a malformed escape or decodes to invalid UTF-8.
        """
        if not path.isascii():
            path = _escape(path)
        raw = plain = path.split("/") if len(path) > 1 and path[0] == "/" else _split(path)
        escaped = "%" in path
        if escaped:
            plain = [unquote(segment) if "%" in segment else segment for segment in raw]
        last = raw[-1]
        if ":" in last and (custom := self._custom(last)) is not None:
            head = last[: last.rindex(":")]
            entry = _find(self._root, [*plain[:-1], unquote(head)], custom, verb)
            if entry is not None:
                return _match(entry, [*raw[:-1], head], escaped)
        entry = _straight(self._root, plain, verb) or _find(self._root, plain, None, verb)
        if entry is not None:
            return _match(entry, raw, escaped)
        allowed = {name for leaf in self._fitting(raw) for name in leaf.allowed}
        return WrongMethod(tuple(sorted(allowed))) if allowed else NoRoute()

    def shaped(self, path: str) -> list[Route[T]]:
        """Returns all routes whose shape matches the path, for any verb, best match first, for `diptych explain`."""
        found: list[Route[T]] = []
        for leaf in self._fitting(_split(_escape(path))):
            found.extend(entry.route for entry in leaf.entries.values() if entry.route not in found)
        return found

    def verbs_of(self, verb: str, path: str) -> list[str]:
        """Returns the custom verbs that a raw path may have instead of the one after its last colon."""
        head, colon, _ = path.rpartition(":")
        if not colon or "/" in path[len(head) :]:
            return []
        found = ((custom, self.match(verb, f"{head}:{custom}")) for custom in sorted(self._verbs))
        return [one for one, match in found if isinstance(match, Match) and match.route.template.verb == one]

    def _custom(self, last: str) -> str | None:
        """Returns the custom verb at the end of a path if it is registered and not the whole segment, else None."""
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
    """Percent-encodes the bytes of a path that are not ASCII."""
    return quote(path.encode("latin-1", "replace"), safe=_ASCII)


def _split(path: str) -> list[str]:
    """Splits a path at its slashes; the first item is the empty text before the leading slash, the only one for "/"."""
    if not path.startswith("/"):
        return ["", ""]  # matches nothing, as any empty segment does
    return path.split("/") if path != "/" else [""]


def _straight(node: _Node[T], segments: list[str], verb: str) -> _Entry[T] | None:
    """Returns what `_find` tries first, which is nearly always the match: at each segment a literal, or else "*"."""
    for segment in segments[1:]:
        below = node.literals.get(segment)
        if below is None:
            below = node.any
            if below is None or not segment:
                return None
        node = below
    leaf = node.leaves.get(None)
    return None if leaf is None else leaf.entries.get(verb)


def _find(node: _Node[T], segments: list[str], custom: str | None, verb: str) -> _Entry[T] | None:
    """Returns the best match for a verb, in `_walk`'s order but without its generators, as this is the hot path.

    `untried` is the backtracking stack: nodes whose `*` (if the flag is true) or `**` remains to be tried.
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
    """Yields all matching leaves, best match first."""
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
        if leaf is not None and end >= at and _fits(tail, segments[end:]) and "" not in segments[at:end]:
            yield leaf


def _fits(tail: _Tail, segments: list[str]) -> bool:
    return all(text if one is None else one == text for one, text in zip(tail, segments, strict=True))


def _order(tail: _Tail) -> tuple[int, ...]:
    """Returns the key to sort tails by: from the end, a literal is more specific than "*", and "*" than "**"."""
    return (*(1 if one is None else 0 for one in reversed(tail)), 2)


_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLASH = re.compile(r"(%2[Ff])")


def _match(entry: _Entry[T], raw: list[str], escaped: bool) -> Match[T]:
    starts = entry.starts
    return Match(
        entry.route, _values(entry, raw, escaped) if escaped or starts is None else tuple([raw[at] for at in starts])
    )


def _values(entry: _Entry[T], raw: list[str], escaped: bool) -> tuple[str, ...]:
    """Decodes each variable's value; with several segments `%2F` stays encoded (google/api/http.proto)."""
    template = entry.route.template
    beyond = len(raw) - 1 - len(template.segments)  # the segments that "**" matched beyond one
    values = []
    for variable in template.variables:
        start = 1 + variable.start + (beyond if variable.after else 0)
        text = "/".join(raw[start : 1 + variable.end + (beyond if variable.after or variable.rest else 0)])
        values.append(_decoded(text, variable.path, keep_slash=variable.multi) if "%" in text else text)
    if entry.loose and escaped:
        _decoded("/".join(raw), "", keep_slash=False)  # wildcards outside variables must be well-formed too
    return tuple(values)


def _decoded(text: str, name: str, *, keep_slash: bool) -> str:
    if _MALFORMED.search(text):
        raise invalid(Violation(name, "the path has a malformed percent escape"))
    try:
        if not keep_slash:
            return unquote(text, errors="strict")
        # With a capturing group, `split` returns the separators at odd indexes.
        parts = _SLASH.split(text)
        parts[::2] = [unquote(part, errors="strict") for part in parts[::2]]
        return "".join(parts)
    except UnicodeDecodeError:
        raise invalid(Violation(name, "the path's percent escapes are not valid UTF-8")) from None
