"""The parameters of a method: which fields of the request they fill, their order and their types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Proto

from . import models
from .contracts import Field, Rpc
from .naming import Placed

HTTP_BODY = "google.api.HttpBody"
_FILLED_BY_THE_SDK = {HTTP_BODY, "google.protobuf.FieldMask"}
_VALUES = {
    "artificer.openai.v1.CreateChatCompletionRequest.stop": "str | Sequence[str]",
    "artificer.openai.v1.CreateChatCompletionRequest.tool_choice": "str | Mapping[str, Any]",
    "artificer.openai.v1.CreateEmbeddingsRequest.input": "str | Sequence[str]",
}
"""The types of fields that are a google.protobuf.Value in the contract, since they may have several."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method: what fills it in the request, and how it is typed."""

    name: str
    fills: str  # a field of the request, or "project.display_name"
    typed: str
    required: bool
    comment: str


def file_field(one: Placed) -> Field | None:
    """Returns the field that a file fills: the body's own bytes, or the only required bytes."""
    fields = one.rpc.request.fields
    return next((field for field in fields if field.is_bytes and field.name == one.content), None) or next(
        (field for field in fields if field.is_bytes and field.required), None
    )


def uploads(one: Placed) -> bool:
    """Whether the requests are a stream of a file's pieces."""
    return one.rpc.proto.client_streaming and any(field.type_name == HTTP_BODY for field in one.rpc.request.fields)


def parameters(one: Placed) -> list[Parameter]:
    """Returns the parameters in their order: those of the path, required ones, the others.

    Messages of a stream have their own fields, so that only those of the path are parameters.
    """
    found = list(_parameters(one))
    if one.rpc.proto.client_streaming and not uploads(one):
        found = [each for each in found if each.fills in one.path_fields]
    return sorted(found, key=lambda each: 0 if each.fills in one.path_fields else 1 if each.required else 2)


def _parameters(one: Placed) -> Iterator[Parameter]:
    """Yields the parameters of a method; those of a field that is the whole body are the fields of its message."""
    rpc, body = one.rpc, one.rpc.binding[2]
    for field in rpc.request.fields:
        if field == file_field(one) or field.type_name in _FILLED_BY_THE_SDK or field.name in _omitted(one):
            continue
        message = rpc.contracts.messages.get(field.type_name)
        if body == field.name and message is not None:
            for inner in message.fields:
                fills = f"{field.name}.{inner.name}"
                in_path = fills in one.path_fields
                if in_path or not (inner.output_only or _needless(one, inner)):
                    name = field.name if in_path else inner.name
                    yield Parameter(name, fills, _typed(rpc, inner), in_path or inner.required, inner.comment)
        else:
            required = field.required or field.name in one.path_fields
            yield Parameter(field.name, field.name, _typed(rpc, field), required, field.comment)


def _omitted(one: Placed) -> set[str]:
    """Returns fields that the SDK fills, and the one step beside `steps` that exists for query strings."""
    repeated = {field.name: field.type_name for field in one.rpc.request.fields if field.repeated}
    singular = {name[:-1] for name, kind in repeated.items() if name.endswith("s") and kind}
    return {"page_token", one.idempotency, *singular}


def _needless(one: Placed, field: Field) -> bool:
    """Whether a resource's field means nothing in the method."""
    return (field.name == "etag" and one.name == "create") or (field.immutable and one.name == "update")


def _typed(rpc: Rpc, field: Field) -> str:
    """Returns the type that a parameter accepts: mappings for messages, names for enums, sequences for lists."""
    entry = rpc.contracts.messages.get(field.type_name)
    if entry is not None and entry.is_map_entry:
        key, value = entry.fields
        return f"Mapping[{_accepted(rpc, key)}, {_accepted(rpc, value)}]"
    return f"Sequence[{_accepted(rpc, field)}]" if field.repeated else _accepted(rpc, field)


def _accepted(rpc: Rpc, field: Field) -> str:
    single = models.annotation(rpc.contracts, field, "", "x").removeprefix("list[")
    single = single[:-1] if field.repeated else single
    single = f"types.{single}" if "." in single else single
    if field.proto.type == Proto.TYPE_ENUM:
        return f"{single} | {single}Name"
    if single == "types.base.Struct":
        return "Mapping[str, Any]"
    if single == "types.base.Value":
        return _VALUES.get(f"{field.message.name}.{field.name}", "Any")
    message = field.proto.type == Proto.TYPE_MESSAGE and "types.base." not in single
    return f"{single} | Mapping[str, Any]" if message else single
