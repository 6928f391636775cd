"""Views of a finished document: behind a prefix, and for generators of clients.

It knows no binding, and changes no document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..media import ARRAY
from .bodies import ANYTHING, OCTETS
from .document import HERE
from .scalars import Json


def behind(document: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Returns the document of an API whose paths clients see below a prefix; servers that the user named stay."""
    if not prefix or document.get("servers") != [HERE]:
        return dict(document)
    return {**document, "servers": [{"url": prefix}]}


def for_clients(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the document with one media type for each body: JSON where there is JSON, which for a stream is an array.

    Generators make of several media types methods of one name, or types that they do not define. Query parameters that
    are maps are left out: of `name[key]=value` some make other parameters, and some make code that does not compile.
    """
    paths = {
        path: {key: _operation(one) if isinstance(one, dict) else one for key, one in item.items() if key[:2] != "x-"}
        for path, item in document["paths"].items()
    }
    return {**document, "paths": {path: item for path, item in paths.items() if item}}


def _operation(operation: Json) -> Json:
    made = dict(operation)
    if "parameters" in made:
        made["parameters"] = [one for one in made["parameters"] if one.get("style") != "deepObject"]
    if "requestBody" in made:
        made["requestBody"] = _with_content(made["requestBody"], _one)
    if "responses" in made:
        made["responses"] = {status: _with_content(one, _one) for status, one in made["responses"].items()}
    return made


def _with_content(body: Json, choose: Callable[[Json], Json]) -> Json:
    return {**body, "content": choose(body["content"])} if "content" in body else body


def _one(content: Json) -> Json:
    if ARRAY in content or not content:
        return {ARRAY: content[ARRAY]} if content else {}
    if OCTETS in content or ANYTHING in content:
        return {OCTETS: {"schema": {"type": "string", "format": "binary"}}}
    return content
