"""Requests of REST by the rules of docs/rest.md, as arguments of the HTTP client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .._method import Kind, Method
from ..errors import FieldViolation, InvalidRequestError
from ..types.base import HttpBody, Model
from . import query
from .http import encoded, grpc_timeout, timeouts, trace_context

if TYPE_CHECKING:
    from .._attempt import Attempt

NDJSON = "application/x-ndjson"
_JSON = "application/json"
_OCTETS = "application/octet-stream"
# The forms that a bytes field takes as they are; others may have been meant as JSON, and the gateway refuses them.
_RAW = ("image/", "audio/", "video/", "application/")
_RAW_BYTES = 4 * 1024  # below this, JSON with base64 costs nothing worth saving


def request(method: Method[Any, Any], model: Model, attempt: Attempt) -> dict[str, Any]:
    """Returns the arguments of a request with one message.

    Raises InvalidArgumentError for an empty path field, and InvalidRequestError for text that is no Unicode.
    """
    try:
        return _request(method, model, attempt)
    except ValueError as error:
        raise InvalidRequestError([FieldViolation("request", str(error))]) from None


def _request(method: Method[Any, Any], model: Model, attempt: Attempt) -> dict[str, Any]:
    place = query.path(method)
    sent = _arguments(method, place.filled(model), attempt, streamed=method.kind is not Kind.UNARY)
    if method.body == "*":
        if method.content and _is_raw(method, model, place):
            content = getattr(model, method.content)
            return _raw(method, model, place, sent, content, getattr(model, "content_type", ""))
        exclude = place.omitted or None
        sent["content"] = model.model_dump_json(by_alias=True, exclude_unset=True, exclude=exclude)
        sent["headers"].append(("content-type", _JSON))
        return sent
    if method.body:
        value = getattr(model, method.body)
        if isinstance(value, HttpBody):
            return _raw(method, model, place, sent, value.data, value.content_type)
        sent["content"] = _field(model, method.body, place)
        sent["headers"].append(("content-type", _JSON))
    if model.model_fields_set:
        _add_parameters(sent, model, {*place.names, method.body})
    return sent


def request_stream(method: Method[Any, Any], first: Model, attempt: Attempt) -> dict[str, Any]:
    """Returns the arguments of a request with many messages, without its content; `first` has the path's fields."""
    place = query.path(method)
    sent = _arguments(method, place.filled(first), attempt, streamed=method.kind is not Kind.CLIENT_STREAM)
    if method.content:
        body: HttpBody | None = getattr(first, method.content)
        if body is not None:  # a type tells an empty file from no file
            sent["headers"].append(("content-type", body.content_type or _OCTETS))
        _add_parameters(sent, first, {*place.names, method.content})
    else:
        sent["headers"].append(("content-type", NDJSON))
    return sent


def has_path(method: Method[Any, Any], fields: Mapping[str, Any]) -> bool:
    """Whether the fields suffice for the path of a stream whose body is its messages."""
    return not method.content and all(fields.get(name) for name in query.path(method).names)


def line(model: Model) -> bytes:
    """Returns a message of a stream of requests."""
    return model.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"


def piece(method: Method[Any, Any], model: Model) -> bytes:
    """Returns the bytes in a message of a stream of requests whose content they are."""
    body: HttpBody | None = getattr(model, method.content)
    return body.data if body is not None else b""


def call_headers(attempt: Attempt) -> list[tuple[str, str]]:
    """Returns the headers of a call besides those of its content: metadata, deadline, trace context."""
    found = encoded(attempt.headers)
    if attempt.timeout is not None:
        found.append(("grpc-timeout", grpc_timeout(attempt.timeout)))
    found.extend(trace_context())
    return found


def is_content(method: Method[Any, Any]) -> bool:
    """Whether the answer is bytes of any media type."""
    return method.response is HttpBody


def _arguments(method: Method[Any, Any], path: str, attempt: Attempt, *, streamed: bool) -> dict[str, Any]:
    headers = call_headers(attempt)
    if not any(name == "accept" for name, _ in attempt.headers):
        headers.append(("accept", NDJSON if streamed and not is_content(method) else "*/*"))
    return {"method": method.verb, "url": path, "headers": headers, "timeout": timeouts(attempt)}


def _is_raw(method: Method[Any, Any], model: Model, place: query.Path) -> bool:
    content = getattr(model, method.content)
    if not isinstance(content, bytes) or len(content) < _RAW_BYTES:
        return False
    return query.fits(model, {*place.names, method.content})


def _raw(
    method: Method[Any, Any], model: Model, place: query.Path, sent: dict[str, Any], content: bytes, kind: str
) -> dict[str, Any]:
    """Completes a request whose body is the bytes of a field; the query has the other fields."""
    sent["content"] = content
    if method.body == "*" and (not kind.startswith(_RAW) or "json" in kind):
        kind = _OCTETS
    if kind:
        sent["headers"].append(("content-type", kind))
    _add_parameters(sent, model, {*place.names, method.content or method.body})
    return sent


def _field(model: Model, name: str, place: query.Path) -> str:
    value, exclude = getattr(model, name), place.omitted.get(name)
    if isinstance(value, Model):
        inner = exclude if isinstance(exclude, dict) else None
        return value.model_dump_json(by_alias=True, exclude_unset=True, exclude=inner)
    return json.dumps(model.model_dump(mode="json", by_alias=True, include={name}).popitem()[1] if value else {})


def _add_parameters(sent: dict[str, Any], model: Model, omitted: set[str]) -> None:
    found = query.parameters(model, omitted)
    if found:
        sent["url"] += "?" + urlencode(found)
