"""The error responses, in the dialect of the settings.

It knows no binding; `operations` decides which errors an operation may return.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..dialects import DIALECTS
from ..settings import DialectName
from .scalars import Json, ref

NAME = "Error"

ABOUT: Mapping[str, str] = {
    "400": "The request is invalid; the details name each invalid field.",
    "401": "The caller is not authenticated.",
    "403": "The caller is not allowed to call this method.",
    "404": "The resource that the path names does not exist.",
    "406": "None of the media types in `accept` is supported.",
    "413": "The request is too large.",
    "415": "The content type is not supported.",
    "504": "The deadline passed before the response.",
    "default": "An error.",
}


def schema(dialect: DialectName) -> Json:
    """Returns the schema of an error body."""
    return DIALECTS[dialect].schema


def responses(dialect: DialectName) -> Json:
    """Returns the component responses, by HTTP status."""
    media = DIALECTS[dialect].media
    return {
        _name(status): {"description": about, "content": {media: {"schema": ref(NAME)}}}
        for status, about in ABOUT.items()
    }


def refer(statuses: Iterable[str]) -> Json:
    """Returns an operation's error responses, by reference."""
    return {status: {"$ref": f"#/components/responses/{_name(status)}"} for status in statuses}


def _name(status: str) -> str:
    return NAME if status == "default" else f"{NAME}{status}"
