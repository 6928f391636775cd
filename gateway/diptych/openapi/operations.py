"""Converts one binding to one operation: its name, parameters, body and responses.

It knows no other binding; names that must be unique are passed in.
"""

from __future__ import annotations

from ..methods import Method
from ..rules import Binding
from ..settings import Settings
from . import bodies, errors, parameters
from .comments import Comments, description, headline, summary
from .paths import Path
from .scalars import Json
from .schemas import Schemas

# What a servicer may answer besides 200 with the metadata key x-http-code (RFC 9110 section 9.3).
_CHOSEN = {"POST": ("201", "202"), "PUT": ("201", "202"), "PATCH": ("202",), "DELETE": ("202", "204")}
_OTHER, _EMPTY = "The same response, if the method chooses this status", "No content, if the method chooses this status"


def operation(
    method: Method,
    binding: Binding,
    path: Path,
    *,
    name: str,
    tag: str,
    schemas: Schemas,
    comments: Comments,
    settings: Settings,
    security: list[Json],
) -> Json:
    """Returns the operation object. `name` is its operationId, `security` its security requirements."""
    descriptor = binding.method
    comment = comments.named(descriptor.containing_service.file, descriptor.full_name)
    title = headline(comment, descriptor.name)
    item: Json = {"operationId": name, "tags": [tag], "summary": title or descriptor.name}
    described = description(comment, title)
    if described:
        item["description"] = described
    bound = parameters.of_path(path, schemas) + parameters.of_query(binding, schemas)
    if bound:
        item["parameters"] = bound
    body = bodies.request_body(binding, schemas, name)
    if body is not None:
        item["requestBody"] = body
    success = _success(binding, schemas, comments, settings)
    item["responses"] = {
        "200": success,
        **_chosen(method, binding, success),
        **errors.refer(_errors(method, path, takes_body=body is not None, secured=bool(security))),
    }
    item["security"] = security  # an empty list says that the method needs none
    if descriptor.GetOptions().deprecated or descriptor.containing_service.GetOptions().deprecated:
        item["deprecated"] = True
    item["x-diptych-grpc-method"] = method.path
    streaming = _streaming(method)
    if streaming:
        item["x-diptych-streaming"] = streaming
    return item


def _success(binding: Binding, schemas: Schemas, comments: Comments, settings: Settings) -> Json:
    about = comments.of(binding.method.output_type) if binding.response_body is None else ""
    response: Json = {"description": summary(about) or "A successful response"}
    if settings.unknown_fields == "warn":
        response["headers"] = {
            "x-unknown-fields": {
                "description": "The unknown fields of the request, which were ignored.",
                "schema": {"type": "string"},
            }
        }
    response["content"] = bodies.response_content(binding, schemas)
    return response


def _chosen(method: Method, binding: Binding, success: Json) -> dict[str, Json]:
    """Returns the responses whose status servicers choose, by name: generators refuse ranges such as 2XX."""
    statuses = () if method.server_streaming else _CHOSEN.get(binding.verb, ())
    return {
        status: {"description": _EMPTY} if status == "204" else {**success, "description": _OTHER}
        for status in statuses
    }


def _errors(method: Method, path: Path, *, takes_body: bool, secured: bool) -> list[str]:
    found = ["400"]  # an unknown query parameter is refused even if the method has no fields
    if secured:
        found += ["401", "403"]
    if path.parts:
        found.append("404")
    if method.server_streaming:
        found.append("406")
    if takes_body:
        found += ["413", "415"]
    return [*found, "504", "default"]


def _streaming(method: Method) -> str:
    if method.client_streaming:
        return "bidirectional" if method.server_streaming else "client"
    return "server" if method.server_streaming else ""
