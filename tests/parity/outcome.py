"""The end of a call in one form for every face, so that two faces can be compared by `==`.

It knows no protocol: a face passes it messages, `Any`s and pairs of metadata.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.api import httpbody_pb2
from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from kitchen.v1 import kitchen_service_pb2 as pb

assert error_details_pb2  # the pool must contain the details' types

Pairs = Iterable[tuple[str, str | bytes]]

SERVICE = pb.DESCRIPTOR.services_by_name["KitchenService"]

# Headers of HTTP, its servers or a protocol, which are not metadata.
_PROTOCOLS_OWN = frozenset(
    (
        *("accept-encoding", "cache-control", "connection", "content-encoding", "content-length", "content-type"),
        *("date", "server", "trailer", "transfer-encoding", "vary", "x-accel-buffering"),
        *("access-control-allow-credentials", "access-control-allow-origin", "access-control-expose-headers"),
        *("connect-accept-encoding", "connect-content-encoding", "connect-protocol-version"),
        *("grpc-accept-encoding", "grpc-encoding", "grpc-message", "grpc-status", "grpc-status-details-bin"),
    )
)
# Sets the status of an HTTP answer; plain metadata elsewhere.
HTTP_CODE = "x-http-code"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one call: messages and details as protobuf's own JSON, metadata by key."""

    code: str = "OK"
    message: str = ""
    details: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    headers: Mapping[str, Any] = field(default_factory=dict)
    trailers: Mapping[str, Any] = field(default_factory=dict)


def method_of(name: str) -> MethodDescriptor:
    """Returns the kitchen's method of that name."""
    return SERVICE.methods_by_name[name]


def path_of(name: str) -> str:
    """Returns the method's path in gRPC, gRPC-Web and Connect."""
    return f"/{SERVICE.full_name}/{name}"


def request_class(name: str) -> type[Message]:
    """Returns the class of a method's requests."""
    return message_factory.GetMessageClass(method_of(name).input_type)


def response_class(name: str) -> type[Message]:
    """Returns the class of a method's responses."""
    return message_factory.GetMessageClass(method_of(name).output_type)


def printed(message: Message) -> Any:
    """Returns a message as JSON, by protobuf's own printer."""
    if isinstance(message, any_pb2.Any):
        return json_format.MessageToDict(message)
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def metadata(pairs: Pairs) -> dict[str, Any]:
    """Returns the application's metadata by key; several values are one comma-separated list, as fetch shows them."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        key = name.lower()
        if key in _PROTOCOLS_OWN:
            continue
        if key.endswith("-bin"):
            parts = [value] if isinstance(value, bytes) else [from_base64(part) for part in value.split(",")]
            found[key] = [*found.get(key, []), *parts]
        else:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def from_base64(text: str) -> bytes:
    """Decodes base64 with or without padding: gRPC and Connect allow both."""
    text = text.strip()
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def rich_details(status_details: bytes | None) -> list[Any]:
    """Returns the details of a serialized google.rpc.Status, the value of `grpc-status-details-bin`."""
    if not status_details:
        return []
    return [printed(detail) for detail in status_pb2.Status.FromString(status_details).details]


def detail(type_name: str, value: bytes) -> Any:
    """Returns a detail of Connect's JSON from its type's name, with or without a prefix, and its bytes."""
    name = type_name.rpartition("/")[2]
    descriptor_pool.Default().FindMessageTypeByName(name)
    return printed(any_pb2.Any(type_url=f"type.googleapis.com/{name}", value=value))


def joined(answers: list[Any]) -> list[Any]:
    """Joins messages as an HTTP body does: the pieces of an HttpBody are one body of the first one's type."""
    if not answers or set(answers[0]) != {field.json_name for field in httpbody_pb2.HttpBody.DESCRIPTOR.fields}:
        return answers
    whole = b"".join(base64.b64decode(answer["data"]) for answer in answers)
    return [{**answers[0], "data": base64.b64encode(whole).decode()}]
