"""The error envelope of each dialect, and the responses that carry it.

It knows no binding; which errors an operation may answer with is `operations`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from ..status import CODE_BY_NUMBER
from .scalars import Json, ref

Dialect = Literal["google", "status", "problem"]

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

_CODES = [code.name for _, code in sorted(CODE_BY_NUMBER.items()) if code.name != "OK"]
_NUMBERS = [number for number, code in sorted(CODE_BY_NUMBER.items()) if code.name != "OK"]
_MESSAGE: Json = {"type": "string", "description": "What went wrong, for a developer."}
_HTTP: Json = {"type": "integer", "description": "The HTTP status."}
_NUMBER: Json = {"type": "integer", "enum": _NUMBERS, "description": "The google.rpc.Code, as a number."}
_DETAILS: Json = {
    "type": "array",
    "items": ref("google.protobuf.Any"),
    "description": "What is more to know, such as google.rpc.BadRequest or google.rpc.RetryInfo.",
}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


_SCHEMAS: Mapping[str, Json] = {
    "google": {
        **_object(
            {
                "error": _object(
                    {
                        "code": _HTTP,
                        "message": _MESSAGE,
                        "status": {"type": "string", "enum": _CODES, "description": "The google.rpc.Code, by name."},
                        "details": _DETAILS,
                    }
                )
            }
        ),
        "description": "An error, as AIP-193 has it.",
    },
    "status": {
        **_object({"code": _NUMBER, "message": _MESSAGE, "details": _DETAILS}),
        "description": "An error, as a google.rpc.Status.",
    },
    "problem": {
        **_object(
            {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string", "enum": _CODES, "description": "The google.rpc.Code, by name."},
                "status": _HTTP,
                "detail": _MESSAGE,
                "code": _NUMBER,
                "details": _DETAILS,
            }
        ),
        "description": "An error, as a problem of RFC 9457.",
    },
}


def schema(dialect: Dialect) -> Json:
    """The schema of an error body."""
    return _SCHEMAS[dialect]


def responses(dialect: Dialect) -> Json:
    """The component responses, by HTTP status."""
    media = "application/problem+json" if dialect == "problem" else "application/json"
    return {
        _name(status): {"description": about, "content": {media: {"schema": ref(NAME)}}}
        for status, about in ABOUT.items()
    }


def refer(statuses: Iterable[str]) -> Json:
    """An operation's error responses, by reference."""
    return {status: {"$ref": f"#/components/responses/{_name(status)}"} for status in statuses}


def _name(status: str) -> str:
    return NAME if status == "default" else f"{NAME}{status}"
