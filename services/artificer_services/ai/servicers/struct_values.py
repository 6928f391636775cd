"""Converts google.protobuf.Struct and Value to plain values.

Pure. A Struct's numbers are doubles, so that whole ones become `int` again: a JSON schema with `"maxLength": 3.0` is
refused by some models' servers.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

_EXACT = 2**53  # above it a double does not hold every integer (IEEE 754)


def struct_value(struct: Struct) -> dict[str, Any]:
    """Returns the members of a Struct."""
    return {name: plain_value(value) for name, value in struct.fields.items()}


def plain_value(value: Value) -> Any:
    """Returns None, a bool, int, float, str, list or dict; None also for a Value that holds nothing."""
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "struct_value":
            return struct_value(value.struct_value)
        case "list_value":
            return [plain_value(one) for one in value.list_value.values]
        case _:
            return None
