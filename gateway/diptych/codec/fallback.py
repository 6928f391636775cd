"""JSON by google.protobuf.json_format: slower, but complete and available on every platform.

json_format is more lenient than the mapping (base64, timestamps, null), so it gets only values that `diagnose` accepts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from .options import JsonOptions
from .order import in_order

# json_format counts each level of a Struct three times; limits.py has checked the real depth before.
_DEPTH = 400


def parser(made: type[Message]) -> Callable[[Any], Message]:
    """Returns a function from valid parsed JSON to a message; it ignores unknown fields.

    json_format's exceptions pass through; it raises DecodeError for a message nested deeper than protobuf parses.
    """

    def parse(value: Any) -> Message:
        message = json_format.ParseDict(value, made(), ignore_unknown_fields=True, max_recursion_depth=_DEPTH)
        return made.FromString(message.SerializePartialToString())  # a required field may come from elsewhere

    return parse


def printer(options: JsonOptions) -> Callable[[Message], bytes]:
    """Returns a function from any message to compact JSON."""

    def show(message: Message) -> bytes:
        value = json_format.MessageToDict(
            message,
            always_print_fields_with_no_presence=options.emit_defaults,
            preserving_proto_field_name=options.preserve_names,
            use_integers_for_enums=options.enums_as_ints,
        )
        ordered = in_order(cast(Descriptor, message.DESCRIPTOR), value, names=options.preserve_names)
        # Not orjson: the other engines write fractions as Python's repr does, such as 1e-05.
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()

    return show
