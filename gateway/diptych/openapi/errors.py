"""The responses that carry an error, in the dialect of the settings.

It knows no binding; which errors an operation may answer with is `operations`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..dialects import DIALECTS
from ..settings import DialectName
from .scalars import Json, ref

NAME = "Error"

ABOUT: Mapping[str, str] = {
    "400": "The request cannot be taken; the details name each field at fault.",
    "401": "The caller is not known.",
    "403": "The caller may not do this.",
    "404": "What the path names does not exist.",
    "406": "None of the accepted media types can be sent.",
    "413": "The request is too large.",
    "415": "The content type does not fit the body.",
    "504": "The deadline passed before there was an answer.",
    "default": "An error.",
}


def schema(dialect: DialectName) -> Json:
    """The schema of an error body."""
    return DIALECTS[dialect].schema


def responses(dialect: DialectName) -> Json:
    """The component responses, by HTTP status."""
    media = DIALECTS[dialect].media
    return {
        _name(status): {"description": about, "content": {media: {"schema": ref(NAME)}}}
        for status, about in ABOUT.items()
    }


def refer(statuses: Iterable[str]) -> Json:
    """An operation's error responses, by reference."""
    return {status: {"$ref": f"#/components/responses/{_name(status)}"} for status in statuses}


def _name(status: str) -> str:
    return NAME if status == "default" else f"{NAME}{status}"
