"""Merges the document of FastAPI's routes into the transcoded one; a user's route wins, as it does when served.

It knows two documents, but not their origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from .comments import in_comment
from .paths import parameters, shape
from .scalars import Json

_SCHEMA = "#/components/schemas/"
_VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_TEXTS = ("description", "summary", "title")


def merge(document: Mapping[str, Any], fastapi_document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a document with both; changes neither of the two, and shares parts with the first.

    FastAPI's schemas and operationIds are renamed if their names are used already.
    """
    # The first may be large, so only what changes is copied.
    merged, theirs = dict(document), deepcopy(dict(fastapi_document))
    merged["components"] = {kind: dict(held) for kind, held in document.get("components", {}).items()}
    merged["paths"] = dict(document.get("paths", {}))
    _rename_schemas(merged, theirs)
    _without_item_schemas(theirs)
    _in_comments(theirs)
    _add_paths(merged["paths"], theirs.get("paths", {}))
    for kind, components in theirs.get("components", {}).items():
        held = merged["components"].setdefault(kind, {})
        for name, component in components.items():
            held.setdefault(name, component)
    merged["tags"] = [*document.get("tags", ()), *_more_tags(document, theirs)]
    for name in ("servers", "webhooks", "externalDocs"):
        if name in theirs:
            merged[name] = theirs[name]
    return merged


def _more_tags(ours: Mapping[str, Any], theirs: Json) -> list[Json]:
    """Returns the tags of FastAPI's document and of its operations that ours does not have."""
    known = {tag["name"] for tag in ours.get("tags", ())}
    more = {tag["name"]: tag for tag in theirs.get("tags", ()) if tag["name"] not in known}
    for item in theirs.get("paths", {}).values():
        for operation in _operations(item).values():
            for name in operation.get("tags", ()):
                if name not in known:
                    more.setdefault(name, {"name": name, "description": "Routes of the application itself."})
    return list(more.values())


def _rename_schemas(ours: Json, theirs: Json) -> None:
    taken = ours.get("components", {}).get("schemas", {})
    own = theirs.get("components", {}).get("schemas", {})
    changed: dict[str, str] = {}
    for name, schema in list(own.items()):
        if name in taken and taken[name] != schema:
            new = _free(name, {*taken, *own})
            own[new] = own.pop(name)
            changed[_SCHEMA + name] = _SCHEMA + new
    if changed:
        _replace_refs(theirs, changed)


def _replace_refs(value: object, changed: Mapping[str, str]) -> None:
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target in changed:
            value["$ref"] = changed[target]
        for one in value.values():
            _replace_refs(one, changed)
    elif isinstance(value, list):
        for one in value:
            _replace_refs(one, changed)


def _in_comments(value: object) -> None:
    if isinstance(value, dict):
        for name, one in value.items():
            if name in _TEXTS and isinstance(one, str):
                value[name] = in_comment(one)
            else:
                _in_comments(one)
    elif isinstance(value, list):
        for one in value:
            _in_comments(one)


def _without_item_schemas(theirs: Json) -> None:
    """Renames `itemSchema`: FastAPI writes it, but it is OpenAPI 3.2's; in a 3.1 document it must be an extension."""
    for item in theirs.get("paths", {}).values():
        for verb in _VERBS:
            for response in item.get(verb, {}).get("responses", {}).values():
                for media in response.get("content", {}).values():
                    if "itemSchema" in media:
                        media["x-itemSchema"] = media.pop("itemSchema")


def _add_paths(ours: Json, theirs: Json) -> None:
    by_shape = {shape(path): path for path in ours}
    names = {operation.get("operationId") for item in ours.values() for operation in _operations(item).values()}
    for path, item in theirs.items():
        for operation in _operations(item).values():
            name = operation.get("operationId")
            if name is not None and name in names:
                operation["operationId"] = _free(name, names)
            names.add(operation.get("operationId"))
            operation.setdefault("security", [])
        same = by_shape.get(shape(path))
        if same is not None and same != path:
            # OpenAPI forbids two paths that differ only in parameter names: ours get the user's names.
            ours[path] = _renamed(deepcopy(ours.pop(same)), same, path)
        ours[path] = {**ours.get(path, {}), **item}


def _renamed(item: Json, before: str, after: str) -> Json:
    names = dict(zip(parameters(before), parameters(after), strict=True))
    for operation in _operations(item).values():
        for parameter in operation.get("parameters", ()):
            if parameter.get("in") == "path":
                parameter["name"] = names.get(parameter["name"], parameter["name"])
    return item


def _operations(item: Json) -> dict[str, Json]:
    return {verb: item[verb] for verb in _VERBS if verb in item}


def _free(name: str, taken: set[Any]) -> str:
    count = 2
    while f"{name}_{count}" in taken:
        count += 1
    return f"{name}_{count}"
