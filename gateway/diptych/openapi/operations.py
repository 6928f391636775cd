"""One binding to one operation: what it is called, what it takes, what it answers.

It knows no other binding; what has to be unique in a document it is told.
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
    """The operation object. `name` is its operationId; `security` has the ways a caller may show who it is."""
    descriptor = binding.method
    comment = comments.named(descriptor.containing_service.file, descriptor.full_name)
    title = headline(comment, descriptor.name)
    made: Json = {"operationId": name, "tags": [tag], "summary": title or descriptor.name}
    described = description(comment, title)
    if described:
        made["description"] = described
    taken = parameters.of_path(path, schemas) + parameters.of_query(binding, schemas)
    if taken:
        made["parameters"] = taken
    body = bodies.request_body(binding, schemas, name)
    if body is not None:
        made["requestBody"] = body
    success = _success(binding, schemas, comments, settings)
    made["responses"] = {
        "200": success,
        "2XX": {**success, "description": "The same, with another status that the servicer chose, such as 201"},
        **errors.refer(_errors(method, path, takes_body=body is not None, secured=bool(security))),
    }
    if security:
        made["security"] = security
    if descriptor.GetOptions().deprecated or descriptor.containing_service.GetOptions().deprecated:
        made["deprecated"] = True
    made["x-diptych-grpc-method"] = method.path
    streaming = _streaming(method)
    if streaming:
        made["x-diptych-streaming"] = streaming
    return made


def _success(binding: Binding, schemas: Schemas, comments: Comments, settings: Settings) -> Json:
    about = comments.of(binding.method.output_type) if binding.response_body is None else ""
    made: Json = {"description": summary(about) or "A successful answer"}
    if settings.unknown_fields == "warn":
        made["headers"] = {
            "x-unknown-fields": {
                "description": "The fields of the request that were passed over, since nobody knows them.",
                "schema": {"type": "string"},
            }
        }
    made["content"] = bodies.response_content(binding, schemas)
    return made


def _errors(method: Method, path: Path, *, takes_body: bool, secured: bool) -> list[str]:
    found = ["400"]  # an unknown query parameter is refused even where there is nothing to take
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
