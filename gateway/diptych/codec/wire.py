"""JSON by `diptych_json`: from the wire bytes of a message and to them, with no objects between.

It converts what it knows for certain, and gives everything else to the functions that it is made with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from diptych_json import Printer, Table
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.message import DecodeError, Message

from .limits import JsonLimits
from .options import JsonOptions, Printed, StreamEncoder, printed_at_once
from .reach import may_lack_fields
from .wire_tables import Tables

if not hasattr(Printer, "print_all"):  # an older one is left out, as if it were not installed
    raise ImportError("diptych_json is older than this diptych; install the same version of both")

Decoder = Callable[[bytes, list[str]], Message]


class WireJson:
    """Parses and prints messages. A file's first message makes a table of all of them and of those below."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[Table, dict[str, int]]] = {}  # by the full names of their messages

    def _find(self, made: type[Message]) -> tuple[Table, int]:
        """Returns a table with the message, and its index in it."""
        name: str = made.DESCRIPTOR.full_name
        found = self._tables.get(name)
        if found is None:
            found = _table(cast(FileDescriptor, made.DESCRIPTOR.file))
            self._tables.update(dict.fromkeys(found[1], found))
        return found[0], found[1][name]

    def printer(
        self, made: type[Message], options: JsonOptions, slow: Callable[[Message], bytes]
    ) -> Callable[[Message], bytes]:
        """Returns a function from a message to compact JSON; `slow` prints what is not certain."""
        show = self._printer(made, options).print

        def encode(message: Message) -> bytes:
            text = show(message.SerializeToString())
            return slow(message) if text is None else text

        # Not by its EncodeError: see `required.missing_fields`.
        if may_lack_fields(made.DESCRIPTOR):
            return lambda message: encode(message) if message.IsInitialized() else slow(message)
        return encode

    def _printer(self, made: type[Message], options: JsonOptions) -> Printer:
        table, index = self._find(made)
        return table.printer(
            index,
            emit_defaults=options.emit_defaults,
            preserve_names=options.preserve_names,
            enums_as_ints=options.enums_as_ints,
        )

    def stream_encoder(
        self, made: type[Message], options: JsonOptions, slow: Callable[[Message], bytes]
    ) -> StreamEncoder:
        """Returns the same for the messages of a stream."""
        if may_lack_fields(made.DESCRIPTOR):
            return printed_at_once(self.printer(made, options, slow))
        show, from_bytes = self._printer(made, options).print_all, made.FromString

        def print_all(packed: list[bytes]) -> Printed:
            texts = show(packed)
            if None not in texts:
                return Printed(cast(list[bytes], texts), None)
            printed: list[bytes] = []
            for wire, text in zip(packed, texts, strict=True):
                try:
                    printed.append(slow(from_bytes(wire)) if text is None else text)
                except Exception as why:
                    return Printed(printed, why)
            return Printed(printed, None)

        return StreamEncoder(made.SerializeToString, print_all)

    def parser(self, made: type[Message], limits: JsonLimits, slow: Decoder) -> Decoder:
        """Returns a function that parses a body; `slow` parses what is not certain, and refuses what is invalid."""
        return self._parser(made, None, limits, slow)

    def field_parser(self, made: type[Message], field: FieldDescriptor, limits: JsonLimits, slow: Decoder) -> Decoder:
        """Returns the same for a body that is the value of a field, to a message with only that field."""
        return self._parser(made, [one.number for one in made.DESCRIPTOR.fields].index(field.number), limits, slow)

    def _parser(self, made: type[Message], field: int | None, limits: JsonLimits, slow: Decoder) -> Decoder:
        table, index = self._find(made)
        parse = table.parser(index, field=field, elements=limits.elements, depth=limits.depth).parse
        from_bytes = made.FromString

        def decode(body: bytes, warnings: list[str]) -> Message:
            wire = parse(body)
            if wire is None:
                return slow(body, warnings)
            try:
                return from_bytes(wire)
            except DecodeError:  # nested deeper than protobuf parses
                return slow(body, warnings)

        return decode


# Several gateways in one process share them.
@lru_cache(maxsize=32)
def _table(file: FileDescriptor) -> tuple[Table, dict[str, int]]:
    tables = Tables(file)
    return Table(tables.messages, tables.enums), tables.at
