"""The whole document: its paths, tags and components, and the names that must be unique in it.

It knows no server: it is built from the bindings and the settings.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

# OpenAPI 3.1's verbs; other verbs are put into an extension named after 3.2's `additionalOperations`.
_VERBS = frozenset("GET PUT POST DELETE OPTIONS HEAD PATCH TRACE".split())  # noqa: SIM905
_OTHERS = "x-additionalOperations"

HERE: Mapping[str, str] = {"url": "/"}
"""The server of a document whose paths begin at the root."""

_ABOUT = (
    "Every operation is also a gRPC method, named by `x-diptych-grpc-method`. Any request may carry a deadline in"
    " seconds in the header `x-server-timeout`."
)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collects no garbage meanwhile: a document is new objects without a cycle, and collections took a third of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_without_garbage_collection()
def document(
    bindings: Sequence[tuple[Method, Binding]],
    *,
    settings: Settings,
    security: Mapping[str, Mapping[str, Any]] | None = None,
    scopes: Callable[[str], Sequence[str] | None] = lambda _: (),
) -> dict[str, Any]:
    """Returns the OpenAPI 3.1 document of the bindings, in their order.

    `security` are OpenAPI's security schemes by name; any one of them authenticates a caller. `scopes` returns those
    that a method requires, by `/{package.Service}/{Method}`; None if the method needs no authentication.
    """
    comments = Comments()
    schemas = Schemas(
        settings,
        comments,
        requests=_request_types(binding for _, binding in bindings),
        responses=_response_types(binding for _, binding in bindings),
    )
    labels = _labels(binding.method.containing_service for _, binding in bindings)
    paths = _Paths()
    used: dict[str, int] = {}
    for method, binding in bindings:
        label = labels[binding.method.containing_service.full_name]
        name = f"{label}_{binding.method.name}"
        used[name] = used.get(name, 0) + 1
        path = paths.unified(expand(binding, preserve_names=settings.preserve_names))
        item = operation(
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
        paths.add(path, binding.verb, item)
    components = {**schemas.components, errors.NAME: errors.schema(settings.error_dialect)}
    components.setdefault("google.protobuf.Any", dict(SHARED["google.protobuf.Any"]))  # the errors' details
    result: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": settings.title or _title(labels),
            "version": settings.api_version or version("diptych"),
            "description": _ABOUT,
        },
        "servers": [dict(HERE)],
        "paths": paths.items,
        "tags": _tags(bindings, labels, comments),
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": errors.responses(settings.error_dialect),
        },
    }
    if security:
        result["components"]["securitySchemes"] = {name: dict(scheme) for name, scheme in security.items()}
    return result


def _security(schemes: Iterable[str], scopes: Sequence[str] | None) -> list[Json]:
    """Returns an operation's requirements. FastAPI's routes have their own, so there are none for the document."""
    # OpenAPI 3.1, "Security Requirement Object": the list has role names for schemes other than OAuth's.
    return [] if scopes is None else [{name: list(scopes)} for name in schemes]


class _Paths:
    """Path items by path. Paths with the same shape are merged, with the first one's parameter names."""

    def __init__(self) -> None:
        self.items: dict[str, Json] = {}
        self._by_shape: dict[str, str] = {}

    def unified(self, path: Path) -> Path:
        text = self._by_shape.setdefault(path.shape, path.text)
        return path.named(parameters(text))

    def add(self, path: Path, verb: str, operation: Json) -> None:
        item = self.items.setdefault(path.text, {})
        key = verb.lower()
        if verb in _VERBS and key not in item:
            item[key] = operation
        else:
            # A custom verb, or templates that differ only in "*" and "**", which OpenAPI cannot distinguish.
            others = item.setdefault(_OTHERS, {})
            name = verb if verb not in others and verb not in _VERBS else f"{verb} {operation['operationId']}"
            others[name] = operation


def _request_types(bindings: Iterable[Binding]) -> list[Descriptor]:
    found: list[Descriptor | None] = []
    for binding in bindings:
        if binding.whole_body:
            found.append(binding.method.input_type)
        elif binding.body is not None:
            found.append(value_of(binding.body).message_type)
    return [message for message in found if message is not None]


def _response_types(bindings: Iterable[Binding]) -> list[Descriptor]:
    found = [
        value_of(binding.response_body).message_type if binding.response_body else binding.method.output_type
        for binding in bindings
    ]
    return [message for message in found if message is not None]


def _title(labels: Mapping[str, str]) -> str:
    """Returns the name of the only service, or the product's for several services or none."""
    return next(iter(labels.values())) if len(labels) == 1 else "Diptych"


def _labels(services: Iterable[ServiceDescriptor]) -> dict[str, str]:
    """Returns a short name for each service; of services with the same name, the first by package keeps it."""
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
            tags[label] = {"name": label, "description": comments.of(service) or f"The methods of {service.full_name}."}
    return list(tags.values())
