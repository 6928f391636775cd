"""Finds errors and doubtful points in a gateway's routes without serving: all of them, not only the first."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.routing import APIRoute
from google.protobuf.descriptor import Descriptor

from ..fields import HTTP_BODY, OPAQUE_MESSAGES, FieldPath, is_map, is_scalar
from ..gateway import Gateway
from ..methods import Method
from ..rules import Binding, RuleBook
from ..template import ANY, REST, Segment, Template
from .finding import Finding, Level
from .misspelt import misspelt

_ORDER: tuple[Level, ...] = ("error", "warning", "note")


def lint(gateway: Gateway) -> list[Finding]:
    """Returns all findings, errors first."""
    return sorted(_findings(gateway), key=lambda finding: _ORDER.index(finding.level))


def _findings(gateway: Gateway) -> Iterator[Finding]:
    if not len(gateway.methods) and not gateway.methods.generic:
        yield Finding("error", "gateway", "no service is registered; pass the gateway to add_…Servicer_to_server")
    yield from misspelt(gateway.methods)
    rules = gateway.rules()
    for error in rules.errors:
        yield Finding("error", error.where, error.reason)
    for dropped in rules.dropped:
        yield Finding("note" if dropped.chosen else "warning", dropped.where, dropped.why)
    bound = gateway.bound(rules.bindings)
    yield from _unmapped(gateway, rules)
    yield from _ambiguities(bound)
    for method, binding in bound:
        yield from _unbindable(method, binding)
        if method.client_streaming and not binding.takes_body:
            where = f"{binding.verb} {binding.template} ({method.path})"
            yield Finding("warning", where, "has no body: its client's stream is one message over REST")
    yield from _shadowed(gateway, bound)


def _unmapped(gateway: Gateway, rules: RuleBook) -> Iterator[Finding]:
    """Methods without a rule. Those whose rule is an error or was dropped are reported as that."""
    known = rules.ruled.union(binding.method.full_name for binding in rules.bindings)
    for method in gateway.methods:
        if method.descriptor.full_name not in known:
            streams = method.client_streaming or method.server_streaming
            protocols = "gRPC, gRPC-Web, Connect and WebSockets" if streams else "gRPC, gRPC-Web and Connect"
            why = f"has no google.api.http annotation: it is served over {protocols}, but not over REST"
            yield Finding("warning", method.path, why)


def _ambiguities(bound: list[tuple[Method, Binding]]) -> Iterator[Finding]:
    # Only templates of as many segments can fit the same paths without one being more specific.
    groups: dict[tuple[str, str | None, int], list[tuple[Method, Binding]]] = {}
    for method, binding in bound:
        template = binding.template
        if any(segment.kind == ANY for segment in template.segments):
            groups.setdefault((binding.verb, template.verb, len(template.segments)), []).append((method, binding))
    for group in groups.values():
        for index, (method, binding) in enumerate(group):
            for other_method, other in group[:index]:
                if _ambiguous(binding.template, other.template):
                    yield Finding(
                        "warning",
                        f"{binding.verb} {binding.template} ({method.path})",
                        f"and {other.verb} {other.template} ({other_method.path}) fit the same paths, and each is more "
                        "specific somewhere: the first literal from the left wins",
                    )


def _ambiguous(one: Template, other: Template) -> bool:
    """Whether some path fits both and neither is at least as specific in every segment."""
    if any(segment.kind == REST for segment in (*one.segments, *other.segments)):
        return False
    if len(one.segments) != len(other.segments):
        return False
    better = worse = False
    for mine, yours in zip(one.segments, other.segments, strict=True):
        if mine.kind == yours.kind == "literal":
            if mine.literal != yours.literal:
                return False
        else:
            better |= _is_literal(mine) and yours.kind == ANY
            worse |= _is_literal(yours) and mine.kind == ANY
    return better and worse


def _is_literal(segment: Segment) -> bool:
    return segment.kind == "literal"


def _unbindable(method: Method, binding: Binding) -> Iterator[Finding]:
    """Fields that only the query could set, but cannot."""
    if binding.whole_body:
        return
    taken = [path for _, path in binding.variables]
    if binding.body is not None:
        taken.append(FieldPath((binding.body,)))
    where = f"{binding.verb} {binding.template} ({method.path})"
    for path, why in _stuck(binding.method.input_type, (), taken, frozenset()):
        yield Finding("error", where, f"no request can set {path}: {why}, and a query cannot hold it")


def _stuck(
    message: Descriptor, above: tuple[str, ...], taken: list[FieldPath], seen: frozenset[str]
) -> Iterator[tuple[str, str]]:
    for field in message.fields:
        names = (*above, field.name)
        if any(path.names == names for path in taken):
            continue
        below = field.message_type
        if below is None or is_scalar(field):
            continue
        if is_map(field):
            if not is_scalar(below.fields_by_name["value"]):
                yield ".".join(names), "it is a map of messages"
        elif field.is_repeated:
            yield ".".join(names), "it is a repeated message"
        elif below.full_name in OPAQUE_MESSAGES:
            yield ".".join(names), f"it is a {below.full_name}"
        elif below.full_name not in seen and below.full_name != HTTP_BODY:
            yield from _stuck(below, names, taken, seen | {below.full_name})


def _shadowed(gateway: Gateway, bound: list[tuple[Method, Binding]]) -> Iterator[Finding]:
    """Bindings that one of the application's own routes always answers first."""
    own = {
        (verb, route.path): route.name
        for route in gateway.app.routes
        if isinstance(route, APIRoute) and "{" not in route.path
        for verb in route.methods or ()
    }
    for method, binding in bound:
        name = own.get((binding.verb, binding.template.text))
        if name is not None:
            where = f"{binding.verb} {binding.template} ({method.path})"
            yield Finding("error", where, f"is shadowed by the application's own route {name!r}")
