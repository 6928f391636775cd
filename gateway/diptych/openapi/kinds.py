"""What kind of field a field is, as far as a document tells kinds apart.

It knows descriptors only.
"""

from __future__ import annotations

from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import HTTP_BODY, OPAQUE_MESSAGES, SCALAR_MESSAGES, is_map, is_scalar

# The stubs of googleapis-common-protos call every extension a plain FieldDescriptor.
_BEHAVIOR: Any = field_behavior_pb2.field_behavior


def behaves(field: FieldDescriptor, behavior: int) -> bool:
    """Whether the field is annotated with that google.api.FieldBehavior."""
    return behavior in field.GetOptions().Extensions[_BEHAVIOR]


def is_output_only(field: FieldDescriptor) -> bool:
    """Whether only the server sets the field."""
    return behaves(field, field_behavior_pb2.OUTPUT_ONLY)


def is_input_only(field: FieldDescriptor) -> bool:
    """Whether only the client sets the field."""
    return behaves(field, field_behavior_pb2.INPUT_ONLY)


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request has to set the field."""
    return bool(field.is_required) or (behaves(field, field_behavior_pb2.REQUIRED) and not is_output_only(field))


def value_of(field: FieldDescriptor) -> FieldDescriptor:
    """A map's values, as a field; any other field is its own."""
    entry = field.message_type
    return entry.fields_by_name["value"] if is_map(field) and entry is not None else field


def message_of(field: FieldDescriptor) -> Descriptor:
    """The message a field holds; only for fields that hold one."""
    if field.message_type is None:
        raise TypeError(f"{field.full_name} is no message")
    return field.message_type


def single_message(field: FieldDescriptor) -> Descriptor | None:
    """The one message a field holds, None where it holds several or none."""
    return None if field.is_repeated else field.message_type


def has_own_form(message: Descriptor | None) -> bool:
    """Whether JSON writes it otherwise than as an object of its fields."""
    return message is not None and (message.full_name in SCALAR_MESSAGES or message.full_name in OPAQUE_MESSAGES)


def is_http_body(message: Descriptor | None) -> bool:
    """Whether its JSON form gives way to its own bytes where it is a whole body."""
    return message is not None and message.full_name == HTTP_BODY


def is_file(field: FieldDescriptor) -> bool:
    """Whether a form's file fills it: bytes and HttpBody, repeated or not."""
    return field.type == FieldDescriptor.TYPE_BYTES or is_http_body(field.message_type)


def is_raw(field: FieldDescriptor) -> bool:
    """Whether a whole body fills it byte for byte."""
    return not field.is_repeated and is_file(field)


def raw_field(message: Descriptor) -> FieldDescriptor | None:
    """The field that a raw body fills where the body is "*": the only top-level bytes or HttpBody."""
    found = [field for field in message.fields if is_raw(field)]
    return found[0] if len(found) == 1 else None


def in_query(field: FieldDescriptor) -> bool:
    """Whether a query can name it, or any field below it."""
    if is_scalar(value_of(field)):
        return True
    return not field.is_repeated and not has_own_form(field.message_type)
