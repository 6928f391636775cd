"""The JSON of a case as protobuf messages, details and metadata. It knows no case."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from tests.sdk.case_text import Fill, Json, Status

Metadata = Mapping[str, tuple[str | bytes, ...]]

_POOL = descriptor_pool.Default()
_ERROR_DETAILS = error_details_pb2.DESCRIPTOR.package  # imported, so that details of these types are found


def message(kind: Any, given: Json, fill: Fill | None) -> Message:
    """Returns a message of a type, with a field filled. Raises ValueError and json_format.Error."""
    made = json_format.ParseDict(given, message_factory.GetMessageClass(kind)())
    if fill is not None:
        _fill(made, fill)
    return made


def _fill(message: Message, fill: Fill) -> None:
    *parents, name = fill.field.split(".")
    for parent in parents:
        message = getattr(message, parent, message)
    kind: Any = message.DESCRIPTOR
    field = kind.fields_by_camelcase_name.get(name)
    if field is None:
        raise ValueError(f"fill.field: {kind.full_name} has no field {name!r}")
    text = "x" * fill.bytes
    setattr(message, field.name, text.encode() if field.type == field.TYPE_BYTES else text)


def metadata(given: Mapping[str, tuple[str, ...]]) -> Metadata:
    """Returns metadata, with the bytes of names that end in `-bin`. Raises ValueError."""
    return {name: tuple(map(_binary if name.endswith("-bin") else str, values)) for name, values in given.items()}


def _binary(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


def status(given: Status) -> status_pb2.Status:
    """Returns a status with its details. Raises ValueError and json_format.Error."""
    code: int = grpc.StatusCode[given.code].value[0]
    return status_pb2.Status(code=code, message=given.message, details=map(detail, given.details))


def detail(given: Json) -> any_pb2.Any:
    """Parses a detail; one of a type that nobody knows has its bytes as `value`, since proto3 JSON cannot show it."""
    url = given.get("@type", "")
    try:
        _POOL.FindMessageTypeByName(url.rsplit("/", 1)[-1])
    except KeyError:
        if set(given) != {"@type", "value"}:
            raise ValueError(f"details: unknown type {url!r}; give its bytes in base64 as 'value'") from None
        return any_pb2.Any(type_url=url, value=_binary(given["value"]))
    return json_format.ParseDict(given, any_pb2.Any())
