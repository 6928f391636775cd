"""Finds errors and doubtful points in a gateway's routes without serving: all of them, not only the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.routing import APIRoute
from google.protobuf.descriptor import Descriptor

from ..fields import HTTP_BODY, OPAQUE_MESSAGES, FieldPath, is_map, is_scalar
from ..gateway import Gateway
from ..methods import Method
from ..rules import Binding, RuleError, bindings
from ..template import ANY, REST, Segment, Template


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; an error makes the command fail."""

    is_error: bool
    where: str
    text: str

    def __str__(self) -> str:
        return f"{'error' if self.is_error else 'warning'}: {self.where}: {self.text}"


def lint(gateway: Gateway) -> list[Finding]:
    """Returns all findings, errors first."""
    bound: list[tuple[Method, Binding]] = []
    findings: list[Finding] = []
    for method in gateway.methods:
        try:
            own = bindings(method.descriptor, unbound=gateway.maps_unbound)
        except RuleError as error:
            findings.append(Finding(True, method.path, str(error)))
            continue
        if not own:
            why = "has no google.api.http annotation: it is served over gRPC, gRPC-Web and Connect, but not over REST"
            findings.append(Finding(False, method.path, why))
        bound.extend((method, binding) for binding in own)
    findings.extend(_overlaps(bound))
    for method, binding in bound:
        findings.extend(_unbindable(method, binding))
        if method.client_streaming and not binding.takes_body:
            where = f"{binding.verb} {binding.template} ({method.path})"
            findings.append(Finding(False, where, "has no body: its client's stream is one message over REST"))
    findings.extend(_shadowed(gateway, bound))
    return sorted(findings, key=lambda finding: not finding.is_error)


def _overlaps(bound: list[tuple[Method, Binding]]) -> Iterator[Finding]:
    for index, (method, binding) in enumerate(bound):
        for other_method, other in bound[:index]:
            if binding.verb != other.verb or binding.template.verb != other.template.verb:
                continue
            where = f"{binding.verb} {binding.template} ({method.path})"
            against = f"{other.verb} {other.template} ({other_method.path})"
            if binding.template.shape == other.template.shape:
                yield Finding(True, where, f"has the same shape as {against}")
            elif _ambiguous(binding.template, other.template):
                yield Finding(
                    False,
                    where,
                    f"and {against} fit the same paths, and each is more specific somewhere: "
                    "the first literal from the left wins",
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
        yield Finding(True, where, f"no request can set {path}: {why}, and a query cannot hold it")


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
            yield Finding(True, where, f"is shadowed by the application's own route {name!r}")
