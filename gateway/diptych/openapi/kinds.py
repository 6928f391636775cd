"""Classifies fields and messages for the document.

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
    """Returns whether the field is annotated with the google.api.FieldBehavior."""
    return field.has_options and behavior in field.GetOptions().Extensions[_BEHAVIOR]


def is_deprecated(field: FieldDescriptor) -> bool:
    """Returns whether the field is marked as deprecated."""
    return field.has_options and field.GetOptions().deprecated


def is_output_only(field: FieldDescriptor) -> bool:
    """Returns whether only the server sets the field."""
    return behaves(field, field_behavior_pb2.OUTPUT_ONLY)


def is_input_only(field: FieldDescriptor) -> bool:
    """Returns whether only the client sets the field."""
    return behaves(field, field_behavior_pb2.INPUT_ONLY)


def is_required(field: FieldDescriptor) -> bool:
    """Returns whether a request must set the field."""
    return bool(field.is_required) or (behaves(field, field_behavior_pb2.REQUIRED) and not is_output_only(field))


def value_of(field: FieldDescriptor) -> FieldDescriptor:
    """Returns a map's value field; any other field unchanged."""
    entry = field.message_type
    return entry.fields_by_name["value"] if is_map(field) and entry is not None else field


def message_of(field: FieldDescriptor) -> Descriptor:
    """Returns a message field's message type. Raises TypeError for a scalar."""
    if field.message_type is None:
        raise TypeError(f"{field.full_name} is not a message field")
    return field.message_type


def single_message(field: FieldDescriptor) -> Descriptor | None:
    """Returns the type of a singular message field, else None."""
    return None if field.is_repeated else field.message_type


def has_own_form(message: Descriptor | None) -> bool:
    """Returns whether the message has a special JSON form, not an object of its fields."""
    return message is not None and (message.full_name in SCALAR_MESSAGES or message.full_name in OPAQUE_MESSAGES)


def is_http_body(message: Descriptor | None) -> bool:
    """Returns whether the message is an HttpBody, which as a whole body is sent as raw bytes."""
    return message is not None and message.full_name == HTTP_BODY


def is_file(field: FieldDescriptor) -> bool:
    """Returns whether a form's file can set the field: bytes and HttpBody, repeated or not."""
    return field.type == FieldDescriptor.TYPE_BYTES or is_http_body(field.message_type)


def is_raw(field: FieldDescriptor) -> bool:
    """Returns whether a raw body can set the field."""
    return not field.is_repeated and is_file(field)


def raw_field(message: Descriptor) -> FieldDescriptor | None:
    """Returns the field that a raw body sets if the body is "*": the only top-level bytes or HttpBody field."""
    if message.full_name in OPAQUE_MESSAGES:
        return None
    found = [field for field in message.fields if is_raw(field)]
    return found[0] if len(found) == 1 else None


def in_query(field: FieldDescriptor) -> bool:
    """Returns whether a query can set the field or a field below it."""
    if is_scalar(value_of(field)):
        return True
    return not field.is_repeated and not has_own_form(field.message_type)
