"""The document as a whole: its paths, its tags, its components, and the names that have to be unique in it.

It knows no server: it is made from the bindings that are served, and from the settings they are served by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from google.protobuf.descriptor import Descriptor, ServiceDescriptor

from ..methods import Method
from ..rules import Binding
from ..settings import Settings
from . import errors
from .comments import Comments
from .kinds import value_of
from .operations import operation
from .paths import Path, expand, parameters
from .scalars import SHARED, Json
from .schemas import Schemas

# OpenAPI 3.1 knows these; a custom kind stands in an extension named after what 3.2 has for it.
_VERBS = frozenset("GET PUT POST DELETE OPTIONS HEAD PATCH TRACE".split())  # noqa: SIM905
_OTHERS = "x-additionalOperations"

_ABOUT = (
    "Every operation is also a gRPC method, named by `x-diptych-grpc-method`. Any request may carry a deadline in"
    " seconds in the header `x-server-timeout`."
)


def document(
    bindings: Sequence[tuple[Method, Binding]],
    *,
    settings: Settings,
    security: Mapping[str, Mapping[str, Any]] | None = None,
    scopes: Callable[[str], Sequence[str] | None] = lambda _: (),
) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the bindings, in their order.

    `security` holds security schemes by name, as OpenAPI writes them; any one of them lets a caller in. `scopes` are
    those that a method asks for, by `/{package.Service}/{Method}`; None where anybody may call it.
    """
    comments = Comments()
    schemas = Schemas(
        settings,
        comments,
        taken=_taken(binding for _, binding in bindings),
        given=_given(binding for _, binding in bindings),
    )
    labels = _labels(binding.method.containing_service for _, binding in bindings)
    paths = _Paths()
    used: dict[str, int] = {}
    for method, binding in bindings:
        label = labels[binding.method.containing_service.full_name]
        name = f"{label}_{binding.method.name}"
        used[name] = used.get(name, 0) + 1
        path = paths.unified(expand(binding, preserve_names=settings.preserve_names))
        made = operation(
            method,
            binding,
            path,
            name=name if used[name] == 1 else f"{name}_{used[name]}",
            tag=label,
            schemas=schemas,
            comments=comments,
            settings=settings,
            security=_security(security or {}, scopes(method.path)),
        )
        paths.add(path, binding.verb, made)
    components = {**schemas.components, errors.NAME: errors.schema(settings.error_dialect)}
    components.setdefault("google.protobuf.Any", dict(SHARED["google.protobuf.Any"]))  # the errors' details
    made = {
        "openapi": "3.1.0",
        "info": {"title": settings.title, "version": settings.api_version or version("diptych"), "description": _ABOUT},
        "paths": paths.items,
        "tags": _tags(bindings, labels, comments),
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": errors.responses(settings.error_dialect),
        },
    }
    if security:
        made["components"]["securitySchemes"] = {name: dict(scheme) for name, scheme in security.items()}
    return made


def _security(schemes: Iterable[str], scopes: Sequence[str] | None) -> list[Json]:
    """An operation's requirements. The routes of FastAPI's own stand in the same document, and have theirs."""
    # OpenAPI 3.1, "Security Requirement Object": for schemes other than OAuth's, the list holds role names.
    return [] if scopes is None else [{name: list(scopes)} for name in schemes]


class _Paths:
    """Path items by path. Paths of one shape are one, under the names that came first."""

    def __init__(self) -> None:
        self.items: dict[str, Json] = {}
        self._by_shape: dict[str, str] = {}

    def unified(self, path: Path) -> Path:
        text = self._by_shape.setdefault(path.shape, path.text)
        return path.named(parameters(text))

    def add(self, path: Path, verb: str, made: Json) -> None:
        item = self.items.setdefault(path.text, {})
        key = verb.lower()
        if verb in _VERBS and key not in item:
            item[key] = made
        else:
            # A custom kind, or "**" beside "*", which one path of OpenAPI cannot tell apart.
            others = item.setdefault(_OTHERS, {})
            others[verb if verb not in others and verb not in _VERBS else f"{verb} {made['operationId']}"] = made


def _taken(bindings: Iterable[Binding]) -> list[Descriptor]:
    found: list[Descriptor | None] = []
    for binding in bindings:
        if binding.whole_body:
            found.append(binding.method.input_type)
        elif binding.body is not None:
            found.append(value_of(binding.body).message_type)
    return [message for message in found if message is not None]


def _given(bindings: Iterable[Binding]) -> list[Descriptor]:
    found = [
        value_of(binding.response_body).message_type if binding.response_body else binding.method.output_type
        for binding in bindings
    ]
    return [message for message in found if message is not None]


def _labels(services: Iterable[ServiceDescriptor]) -> dict[str, str]:
    """A short name for each service: of several with one name, the first by package keeps it when others come."""
    labels: dict[str, str] = {}
    for service in sorted({service.full_name: service for service in services}.values(), key=lambda one: one.full_name):
        taken = service.name in labels.values()
        labels[service.full_name] = service.full_name.replace(".", "_") if taken else service.name
    return labels


def _tags(bindings: Sequence[tuple[Method, Binding]], labels: Mapping[str, str], comments: Comments) -> list[Json]:
    tags: dict[str, Json] = {}
    for _, binding in bindings:
        service = binding.method.containing_service
        label = labels[service.full_name]
        if label not in tags:
            about = comments.of(service)
            tags[label] = {"name": label, **({"description": about} if about else {})}
    return list(tags.values())
