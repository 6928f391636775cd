"""A request message as an HTTP request, by the method's `google.api.http` annotation, as http.proto tells clients to.

A plain implementation of the rules for clients; it knows nothing about the gateway's binder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

_VARIABLE = re.compile(r"\{([^}=]+)(?:=([^}]+))?\}")
_ANY_SHAPE = {f"google.protobuf.{name}" for name in ("Any", "ListValue", "Struct", "Value")}
HTTP_BODY = httpbody_pb2.HttpBody.DESCRIPTOR


@dataclass(frozen=True, kw_only=True)
class Bound:
    """An HTTP request: `body` is JSON, an HttpBody's own bytes, or None."""

    verb: str
    target: str
    body: bytes | None
    content_type: str = "application/json"


def rules(method: MethodDescriptor) -> list[http_pb2.HttpRule]:
    """Returns the method's rules in order."""
    options: Any = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return []
    rule = options.Extensions[annotations_pb2.http]
    return [rule, *rule.additional_bindings]


def pattern(rule: http_pb2.HttpRule) -> tuple[str, str]:
    """Returns a rule's verb and template."""
    kind = rule.WhichOneof("pattern") or ""
    if kind == "custom":
        return rule.custom.kind, rule.custom.path
    return kind.upper(), getattr(rule, kind)


def choose(method: MethodDescriptor, request: Message) -> http_pb2.HttpRule:
    """Returns the first rule that can carry the request: its variables match, and the other fields have a place."""
    for rule in rules(method):
        variables = _VARIABLE.findall(pattern(rule)[1])
        fit = all(_fits(str(_get(request, name)), shape or "*") for name, shape in variables)
        if fit and (rule.body or not any(_needs_body(field) for field, _ in request.ListFields())):
            return rule
    raise LookupError(f"no rule of {method.name} can carry {request}")


def _needs_body(field: FieldDescriptor) -> bool:
    """Whether a query cannot carry the field: repeated messages, and types whose JSON has any shape."""
    if field.message_type is None:
        return False
    if field.message_type.GetOptions().map_entry:
        return field.message_type.fields_by_name["value"].message_type is not None
    return field.is_repeated or field.message_type.full_name in _ANY_SHAPE


def bind(method: MethodDescriptor, request: Message) -> Bound:
    """Returns the HTTP request by the rule that can carry it."""
    rule = choose(method, request)
    verb, template = pattern(rule)
    names = [name for name, _ in _VARIABLE.findall(template)]
    path = _VARIABLE.sub(lambda found: _segment(str(_get(request, found[1])), found[2]), template)
    left = json_format.MessageToDict(request)
    for name in names:
        _drop(left, request.DESCRIPTOR, name)
    if rule.body == "*":
        return _whole(verb, path, request, left)
    if rule.body:
        field = request.DESCRIPTOR.fields_by_name[rule.body]
        value = left.pop(field.json_name, None)
        query = _query(request.DESCRIPTOR, left)
        if field.message_type is not None and field.message_type.full_name == HTTP_BODY.full_name:
            body = getattr(request, rule.body)
            return Bound(verb=verb, target=path + query, body=body.data, content_type=body.content_type)
        return Bound(verb=verb, target=path + query, body=json.dumps(value).encode())
    return Bound(verb=verb, target=path + _query(request.DESCRIPTOR, left), body=None)


def _whole(verb: str, path: str, request: Message, left: dict[str, Any]) -> Bound:
    if isinstance(request, httpbody_pb2.HttpBody):
        return Bound(verb=verb, target=path, body=request.data, content_type=request.content_type)
    return Bound(verb=verb, target=path, body=json.dumps(left).encode())


def _get(message: Message, name: str) -> Any:
    for part in name.split("."):
        message = getattr(message, part)
    return message


def _fits(value: str, shape: str) -> bool:
    if shape == "*":
        return bool(value)
    expected = "/".join(
        ".*" if part == "**" else "[^/]+" if part == "*" else re.escape(part) for part in shape.split("/")
    )
    return re.fullmatch(expected.replace("/.*", "(/.*)?"), value) is not None


def _segment(value: str, shape: str | None) -> str:
    # http.proto: a variable of several segments is escaped except for its slashes, any other completely.
    return quote(value, safe="/-_.~" if shape and shape != "*" else "-_.~")


def _drop(value: dict[str, Any], descriptor: Any, name: str) -> None:
    first, _, rest = name.partition(".")
    field = descriptor.fields_by_name[first]
    if rest:
        _drop(value.get(field.json_name, {}), field.message_type, rest)
    else:
        value.pop(field.json_name, None)


def _query(descriptor: Any, value: dict[str, Any]) -> str:
    pairs = list(_pairs(descriptor, value, ""))
    return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""


def _pairs(descriptor: Any, value: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    by_name = {field.json_name: field for field in descriptor.fields}
    for name, inner in value.items():
        yield from _field(by_name[name], inner, prefix + name)


def _field(field: FieldDescriptor, value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for one in value:
            yield from _field(field, one, name)
    elif isinstance(value, dict) and field.message_type and field.message_type.GetOptions().map_entry:
        for key, one in value.items():
            yield f"{name}[{key}]", _text(one)
    elif isinstance(value, dict):
        yield from _pairs(field.message_type, value, f"{name}.")
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
