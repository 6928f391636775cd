"""Streams of files: messages that are, or hold, a `google.api.HttpBody`.

Over REST such a stream is one body, whose pieces may have any size, so that only the whole can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message


def of(kind: Any) -> str | None:
    """Returns the field that holds the body, "" if the message is one, or None."""
    if kind is HttpBody.DESCRIPTOR:
        return ""
    return next((field.name for field in kind.fields if field.message_type is HttpBody.DESCRIPTOR), None)


def joined(messages: Sequence[Message]) -> Sequence[Message]:
    """Returns a stream of files as one message: the first with the bytes of all. Other messages are not changed."""
    if len(messages) < 2 or (field := of(messages[0].DESCRIPTOR)) is None:
        return messages
    whole = type(messages[0])()
    whole.CopyFrom(messages[0])
    _body(whole, field).data = b"".join(_body(message, field).data for message in messages)
    return [whole]


def _body(message: Any, field: str) -> HttpBody:
    body: HttpBody = getattr(message, field) if field else message
    return body
