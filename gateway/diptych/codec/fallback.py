"""JSON by google.protobuf.json_format: slower, complete, and there where the native package is not.

json_format is lenient where the mapping is not (base64, timestamps, null), so it is given diagnosed values only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from .options import JsonOptions

# json_format counts a Struct's every level thrice, and limits.py has counted before.
_DEPTH = 400


def parser(made: type[Message]) -> Callable[[Any], Message]:
    """A function from parsed JSON without faults to a message; unknown fields are passed over.

    It raises whatever json_format raises, and DecodeError for nesting no protobuf reader would take off the wire.
    """

    def parse(value: Any) -> Message:
        message = json_format.ParseDict(value, made(), ignore_unknown_fields=True, max_recursion_depth=_DEPTH)
        return made.FromString(message.SerializeToString())

    return parse


def printer(options: JsonOptions) -> Callable[[Message], bytes]:
    """A function from any message to compact JSON."""

    def show(message: Message) -> bytes:
        return orjson.dumps(
            json_format.MessageToDict(
                message,
                always_print_fields_with_no_presence=options.emit_defaults,
                preserving_proto_field_name=options.preserve_names,
                use_integers_for_enums=options.enums_as_ints,
            )
        )

    return show
