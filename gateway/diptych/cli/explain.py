"""Explains routing: the template that matched, the fields that were bound, and why other templates lost.

It uses the same route table and binder as a request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from google.protobuf import json_format

from ..bind import ContentType
from ..faces.rest import Endpoint
from ..routes import Match, NoRoute, Route, RouteTable
from ..status import StatusError
from ..template import ANY, REST, Segment

# Templates that share the most literals with the path come first; more of them would only hide the likely ones.
_MOST_LOSERS = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """The text to print, and whether the request would reach its method."""

    text: str
    served: bool


def explain(
    table: RouteTable[Endpoint], obstacle: Callable[[str], str | None], verb: str, target: str, body: bytes
) -> Answer:
    """Explains `verb` on `target`, a raw path with its query, and a JSON body.

    `obstacle` says why requests for a decoded path go through ASGI, or returns None.
    """
    verb = verb.upper()
    path, _, query = target.partition("?")
    lines = [f"{verb} {target}"]
    try:
        match = table.match(verb, path)
    except StatusError as refused:
        return Answer("\n".join([*lines, f"400        {refused.status.message}"]), served=False)
    winner: Route[Endpoint] | None = None
    served = False
    if isinstance(match, Match):
        winner = match.route
        served = _matched(lines, match, query, body)
        lines.append(f"plain      {_plain(winner.target, obstacle(unquote(path)))}")
    elif isinstance(match, NoRoute):
        lines.append("404        no template has the shape of this path")
    else:
        lines.append(f"405        the path is served for {', '.join(match.allowed)}")
    losers = _losers(table, verb, path, winner)
    lines += (f"lost       {route}: {why}" for route, why in losers[:_MOST_LOSERS])
    if len(losers) > _MOST_LOSERS:
        others = len(losers) - _MOST_LOSERS
        lines.append(f"lost       {others} more {'route' if others == 1 else 'routes'}, less like the path, not shown")
    return Answer("\n".join(lines), served)


def _matched(lines: list[str], match: Match[Endpoint], query: str, body: bytes) -> bool:
    endpoint = match.route.target
    binding = endpoint.binding
    lines.append(f"matched    {match.route}")
    lines.append(f"method     {endpoint.method.path}")
    for (variable, path), value in zip(binding.variables, match.values, strict=True):
        lines.append(f"path       {path} = {value!r} (from {{{variable.path}}})")
    if binding.takes_body:
        lines.append(f"body       fills {'the whole request' if binding.whole_body else binding.body_name}")
    json = ContentType.of(b"application/json" if body else None)
    warnings: list[str] = []
    try:
        bound = endpoint.binder.bind(match.values, query.encode(), body, json, warnings)
    except StatusError as refused:
        lines.append(f"{refused.status.http_status}        {refused.status.message}")
        return False
    for name in warnings:
        lines.append(f"unknown    {name}")
    request = json_format.MessageToJson(bound.request, indent=None, ensure_ascii=False)
    lines.append(f"request    {bound.request.DESCRIPTOR.full_name} {request}")
    return True


def _plain(endpoint: Endpoint, obstacle: str | None) -> str:
    if not endpoint.plain:
        return "no, the method streams"
    return "yes, the call needs no ASGI" if obstacle is None else f"no, {obstacle}"


def _losers(
    table: RouteTable[Endpoint], verb: str, path: str, winner: Route[Endpoint] | None
) -> list[tuple[Route[Endpoint], str]]:
    """Returns the routes that lost and why, those first that are most like the path."""
    fitting = table.shaped(path)
    segments = path.split("/")[1:]
    ranked = []
    for route in table:
        if route is winner:
            continue
        near, why = _nearness(route, verb, segments), _why(route, segments)
        if route in fitting:
            near += 1000
            why = f"is for {route.verb}, not {verb}" if route.verb != verb else _less_specific(route, winner)
        ranked.append((-near, str(route), route, why))
    ranked.sort(key=lambda one: one[:2])
    return [(route, why) for _, _, route, why in ranked]


def _less_specific(route: Route[Endpoint], winner: Route[Endpoint] | None) -> str:
    if winner is None:
        return "fits"
    if winner.template.verb != route.template.verb:
        return f"the custom verb :{winner.template.verb} goes first"
    pairs = zip(route.template.segments, winner.template.segments, strict=False)
    for index, (mine, other) in enumerate(pairs, 1):
        if _rank(mine) != _rank(other):
            return f"segment {index}: {other} is more specific than {mine}"
    return f"{winner.template} is more specific"


def _rank(segment: Segment) -> int:
    return {ANY: 1, REST: 2}.get(segment.kind, 0)


def _nearness(route: Route[Endpoint], verb: str, segments: list[str]) -> int:
    """Scores how close a route is: mostly by equal segments, then by the same length and verb."""
    template = route.template.segments
    same = sum(_rank(one) == 0 and text == one.literal for one, text in zip(template, segments, strict=False))
    return 4 * same + 2 * (len(template) == len(segments)) + (route.verb == verb)


def _why(route: Route[Endpoint], segments: list[str]) -> str:
    """Returns the first mismatch."""
    template = route.template
    for index, segment in enumerate(template.segments):
        if segment.kind == REST:
            break
        if index >= len(segments):
            return f"the path ends before segment {index + 1} ({segment})"
        text = segments[index]
        if index == len(template.segments) - 1 and template.verb:
            head, _, custom = text.rpartition(":")
            if custom != template.verb or not head:
                return f"segment {index + 1}: {text!r} does not end in :{template.verb}"
            text = head
        if segment.kind == ANY:
            if not text:
                return f"segment {index + 1} is empty"
        elif text != segment.literal:
            return f"segment {index + 1}: {text!r} is not {segment.literal!r}"
    if len(segments) > len(template.segments):
        return f"the path continues after segment {len(template.segments)}"
    return "does not fit"
