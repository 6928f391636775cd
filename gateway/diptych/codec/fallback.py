"""JSON by google.protobuf.json_format, where the native package is missing or cannot print a message.

json_format is lenient where the mapping is not (base64), so a body is diagnosed before it is parsed.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from .options import JsonOptions


class Undiagnosed(Exception):
    """The body has to go through the second pass before it is parsed."""


def parser(made: type[Message]) -> Callable[[bytes, bool], Message]:
    """A function from JSON and `ignore_unknown` to a message; without `ignore_unknown` it refuses, undiagnosed."""

    def parse(body: bytes, ignore_unknown: bool) -> Message:
        if not ignore_unknown:
            raise Undiagnosed
        return json_format.ParseDict(orjson.loads(body), made(), ignore_unknown_fields=True, max_recursion_depth=120)

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
