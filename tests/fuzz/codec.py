"""`make fuzz` and `make fuzz-codec`: random messages and bodies through the JSON engines, which must not differ."""

from __future__ import annotations

import argparse
import random
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from google.protobuf import any_pb2, duration_pb2, json_format, message_factory, wrappers_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from diptych.codec import Codec, Engine, JsonLimits, JsonOptions
from diptych.status import StatusError
from kitchen.v1 import kitchen_service_pb2 as kitchen
from tests.gateway.kinds import Kinds
from tests.gateway.proto2 import EXTRA, Old

_TYPES: list[Any] = [kitchen.EchoRequest, kitchen.ListDishesResponse, Kinds, Old]
_PACKED: list[Any] = [kitchen.Ingredient, Kinds, wrappers_pb2.FloatValue, duration_pb2.Duration]
_LIMITS = JsonLimits(depth=12, elements=200)
_STRINGS = ["", "a", "é😀", '"\\\n\x00', "grams", "floatOne", "NaN", "1e5", "-0", "/", "\u2028", "{}[],:"]
_TOKENS = [
    b"null",
    b"true",
    b"0",
    b"-0",
    b"1e5",
    b"1.0",
    b'""',
    b'"1"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
]
_TOKENS += [b'"grams":1,', b'"by_hand":1,', b'"byHand":1,', b'"text":"",', b'"[old.extra]":1,', b'"NEW"']
_TOKENS += [b"\\u0041", b'"grams":0.10000000149011612', b"\xff", b"1" * 25, b"e400", b" ", b'"NaN"', b'"+/8"']
_TIMES = [0, 1, -1, 951_782_400, -62_135_596_800, 253_402_300_799, 253_402_300_800]
_NANOS = [0, 1, 1_000, 1_000_000, 999_999_999, -1]

Draw = Callable[[random.Random], Any]


def _integer(low: int, high: int) -> Draw:
    return lambda source: source.choice(
        (0, 1, low, high, source.randint(low, high), source.randint(-99, 99) % (high + 1))
    )


def _bits(form: str, size: int) -> Draw:
    return lambda source: source.choice(
        (
            0.0,
            -0.0,
            0.1,
            1.0,
            1e-5,
            1e16,
            float(source.randint(-999, 999)),
            struct.unpack(form, source.randbytes(size))[0],
        )
    )


_DRAWS: dict[int, Draw] = {
    FieldDescriptor.CPPTYPE_INT32: _integer(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: _integer(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: _integer(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: _integer(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_FLOAT: _bits("<f", 4),
    FieldDescriptor.CPPTYPE_DOUBLE: _bits("<d", 8),
    FieldDescriptor.CPPTYPE_BOOL: lambda source: source.random() < 0.5,
    FieldDescriptor.CPPTYPE_STRING: lambda source: source.choice(_STRINGS),
    FieldDescriptor.CPPTYPE_ENUM: lambda source: source.choice((0, 1, 2, -1, 99)),
}


def message(source: random.Random, made: Descriptor, depth: int = 0) -> Message:
    """Returns a random message with a few of its fields."""
    whole = message_factory.GetMessageClass(made)()
    if made.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        return type(whole)(seconds=source.choice(_TIMES), nanos=source.choice(_NANOS))
    if made.full_name == "google.protobuf.FieldMask":
        return type(whole)(paths=[source.choice(("a", "a_b.c", "a1", "aB", "")) for _ in range(source.randint(0, 2))])
    if made.full_name == "google.protobuf.Any":
        if depth < 4 and source.random() < 0.5:
            inner = message(source, source.choice(_PACKED).DESCRIPTOR, depth + 1)
            return any_pb2.Any(type_url=f"x/{inner.DESCRIPTOR.full_name}", value=inner.SerializePartialToString())
        return whole
    if isinstance(whole, Old) and source.random() < 0.3:
        whole.Extensions[EXTRA] = source.randint(-9, 9)
    chosen = source.sample(list(made.fields), min(len(made.fields), source.randint(0, 5)))
    for field in chosen:
        if depth < 4 or field.message_type is None:
            _fill(source, whole, field, depth)
    return whole


def _fill(source: random.Random, whole: Message, field: FieldDescriptor, depth: int) -> None:
    if not field.is_repeated:
        value = _one(source, field, depth)
        if field.message_type is not None:
            getattr(whole, field.name).CopyFrom(value)
        else:
            setattr(whole, field.name, value)
        return
    holder = getattr(whole, field.name)
    for _ in range(source.choice((0, 1, 2, 3, 9))):
        if field.message_type is None or not field.message_type.GetOptions().map_entry:
            holder.append(_one(source, field, depth))
            continue
        key, inner = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        if inner.message_type is None:
            holder[_one(source, key, depth)] = _one(source, inner, depth)
        else:
            holder[_one(source, key, depth)].CopyFrom(_one(source, inner, depth))


def _one(source: random.Random, field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        return message(source, field.message_type, depth + 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return source.randbytes(source.randint(0, 5))
    if field.enum_type is not None and field.enum_type.is_closed:
        return source.choice(field.enum_type.values).number
    return _DRAWS[field.cpp_type](source)


def damaged(source: random.Random, text: bytes) -> bytes:
    """Returns the text with a few tokens inserted, removed or repeated."""
    for _ in range(source.randint(1, 3)):
        at, until = sorted(source.choices(range(len(text) + 1), k=2))
        kept = text[at : min(until, at + 12)]
        text = (
            text[:at]
            + source.choice((b"", kept + kept, source.choice(_TOKENS)))
            + text[at + source.choice((0, len(kept))) :]
        )
    return text


class Engines:
    """The printers and parsers of one message class, in every engine."""

    def __init__(self, made: type[Message], engines: list[Engine]) -> None:
        files: Any = [made.DESCRIPTOR.file]
        codecs = [Codec(files, engine=engine, limits=_LIMITS) for engine in engines]
        lenient = [Codec(files, engine=engine, limits=_LIMITS, policy="ignore") for engine in engines]
        choices = [(emit, names, ints) for emit in (True, False) for names in (True, False) for ints in (True, False)]
        self.decoders = [[codec.decoder(made) for codec in some] for some in (codecs, lenient)]
        self.encoders = [
            [codec.encoder(made, JsonOptions(emit_defaults=e, preserve_names=n, enums_as_ints=i)) for codec in codecs]
            for e, n, i in choices
        ]

    def printed(self, source: random.Random, one: Message) -> list[bytes | str]:
        """Returns what every engine prints, or why it does not; for one choice of options."""
        texts: list[bytes | str] = []
        for encode in source.choice(self.encoders):
            try:
                texts.append(encode(one))
            except json_format.Error as error:
                texts.append(str(error))
        return texts

    def parsed(self, source: random.Random, body: bytes) -> list[object]:
        """Returns what every engine makes of a body: the message, or the refusal; for one policy on unknown names."""
        found: list[object] = []
        for decode in source.choice(self.decoders):
            try:
                found.append(decode(body, []).SerializePartialToString(deterministic=True))
            except StatusError as error:
                found.append(str(error))
        return found


def run(inputs: int, seed: int, engines: list[Engine]) -> str | None:
    """Returns the first difference, or None. Each input is a message, its JSON, and that JSON damaged."""
    source = random.Random(seed)
    every = [(made, Engines(made, engines)) for made in _TYPES]
    for _ in range(inputs):
        made, compared = source.choice(every)
        one = message(source, made.DESCRIPTOR)
        printed = compared.printed(source, one)
        if any(other != printed[0] for other in printed):
            return f"{made.DESCRIPTOR.full_name} {one.SerializePartialToString()!r} prints as {printed}"
        text = printed[0] if isinstance(printed[0], bytes) else b"{}"
        for body in (text, damaged(source, text)):
            parsed = compared.parsed(source, body)
            if any(other != parsed[0] for other in parsed):
                return f"{made.DESCRIPTOR.full_name} {body!r} parses as {parsed}"
    return None


def main() -> int:
    """Runs; returns 1 if the engines differ."""
    parser = argparse.ArgumentParser(prog="make fuzz-codec", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--fallback", action="store_true", help="compare json_format too, which is ten times slower")
    chosen = parser.parse_args()
    engines: list[Engine] = ["wire", "native", "fallback"] if chosen.fallback else ["wire", "native"]
    started = time.monotonic()
    found = run(chosen.inputs, chosen.seed, engines)
    spent = time.monotonic() - started
    sys.stdout.write(f"seed {chosen.seed}: {chosen.inputs} inputs in {spent:.0f} s: {found or 'no difference'}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
