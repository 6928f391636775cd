"""Values as JSON."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from google.protobuf import json_format
from pydantic import BaseModel

from .._grpc.messages import to_message
from ..types.base import Model


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Returns a message as REST does, with its zero values and 64-bit numbers as strings; other values as they are."""
    if isinstance(value, Model):
        return json_format.MessageToJson(
            to_message(value), indent=indent, ensure_ascii=False, always_print_fields_with_no_presence=True
        )
    if isinstance(value, BaseModel):
        return value.model_dump_json(by_alias=True, indent=indent)
    if is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, dict):
        value = {name: json.loads(as_json(one)) for name, one in value.items()}
    if isinstance(value, list):
        value = [json.loads(as_json(one)) for one in value]
    return json.dumps(value, ensure_ascii=False, default=str, indent=indent)
