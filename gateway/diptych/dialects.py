"""The dialects of error bodies, one table: what is written for a status, and the schema that documents it.

It knows no HTTP response; `reply` sends the bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .settings import DialectName
from .status import CODE_BY_NUMBER, Status

Json = dict[str, Any]

_CODES = [code.name for _, code in sorted(CODE_BY_NUMBER.items()) if code.name != "OK"]
_NUMBERS = [number for number, code in sorted(CODE_BY_NUMBER.items()) if code.name != "OK"]
_MESSAGE: Json = {"type": "string", "description": "What went wrong, for a developer."}
_HTTP: Json = {"type": "integer", "description": "The HTTP status."}
_NAME: Json = {"type": "string", "enum": _CODES, "description": "The google.rpc.Code, by name."}
_NUMBER: Json = {"type": "integer", "enum": _NUMBERS, "description": "The google.rpc.Code, as a number."}
_DETAILS: Json = {
    "type": "array",
    "items": {"$ref": "#/components/schemas/google.protobuf.Any"},
    "description": "Further details of the error, such as google.rpc.BadRequest or google.rpc.RetryInfo.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One form of error bodies. `body` builds it from a status and its details, which are JSON values already."""

    media: str
    body: Callable[[Status, list[Any]], Json]
    schema: Json


def _object(description: str, properties: Json) -> Json:
    about = {"description": description} if description else {}
    return {"type": "object", "properties": properties, "required": list(properties), **about}


def _google(status: Status, details: list[Any]) -> Json:
    return {
        "error": {
            "code": status.http_status,
            "message": status.message,
            "status": status.code.name,
            "details": details,
        }
    }


def _status(status: Status, details: list[Any]) -> Json:
    return {"code": status.number, "message": status.message, "details": details}


def _problem(status: Status, details: list[Any]) -> Json:
    return {
        "type": "about:blank",
        "title": status.code.name,
        "status": status.http_status,
        "detail": status.message,
        "code": status.number,
        "details": details,
    }


DIALECTS: Mapping[DialectName, Dialect] = {
    "google": Dialect(
        media="application/json",
        body=_google,
        schema=_object(
            "An error in the form of AIP-193.",
            {"error": _object("", {"code": _HTTP, "message": _MESSAGE, "status": _NAME, "details": _DETAILS})},
        ),
    ),
    "status": Dialect(
        media="application/json",
        body=_status,
        schema=_object(
            "An error, as a google.rpc.Status.", {"code": _NUMBER, "message": _MESSAGE, "details": _DETAILS}
        ),
    ),
    "problem": Dialect(
        media="application/problem+json",
        body=_problem,
        schema=_object(
            "An error, as a problem of RFC 9457.",
            {
                "type": {"type": "string", "format": "uri-reference"},
                "title": _NAME,
                "status": _HTTP,
                "detail": _MESSAGE,
                "code": _NUMBER,
                "details": _DETAILS,
            },
        ),
    ),
}
