from collections.abc import Sequence

# (number, JSON name, proto name, type, "one" | "list" | "map", presence, index of its message or enum, its oneof or -1)
FieldSpec = tuple[int, str, str, int, str, bool, int, int]
# (form, whether it has extensions, whether it has required fields, fields in their declared order, names that JSON
# accepts with their fields' indices)
MessageSpec = tuple[str, bool, bool, Sequence[FieldSpec], Sequence[tuple[str, int]]]
# (whether it is open, whether it is NullValue, values in their declared order)
EnumSpec = tuple[bool, bool, Sequence[tuple[str, int]]]

class Table:
    def __new__(cls, messages: Sequence[MessageSpec], enums: Sequence[EnumSpec]) -> Table: ...
    def printer(self, index: int, *, emit_defaults: bool, preserve_names: bool, enums_as_ints: bool) -> Printer: ...
    def parser(self, index: int, *, field: int | None, elements: int, depth: int) -> Parser: ...

class Printer:
    def print(self, wire: bytes, /) -> bytes | None: ...
    def print_all(self, wires: list[bytes], /) -> list[bytes | None]: ...

class Parser:
    def parse(self, body: bytes, /) -> bytes | None: ...
