"""How messages print as JSON, and fields that are a whole body, with each engine."""

from __future__ import annotations

import math
import struct
from typing import Any

import orjson
import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, struct_pb2, wrappers_pb2
from google.protobuf.message import Message

from diptych.codec import Codec, Engine, JsonOptions
from kitchen.v1 import kitchen_service_pb2 as kitchen
from tests.gateway.test_codec import NAN, EchoRequest, any_of

from .codecs import CODECS, ECHO, each, echo, refused

# JSON out.

EMPTY = {
    # The JSON of an unset field without presence, by the kind of its value.
    "floatValue": 0.0,
    "int32Value": 0,
    "int64Value": "0",
    "uint64Value": "0",
    "fixed64Value": "0",
    "boolValue": False,
    "stringValue": "",
    "bytesValue": "",
    "course": "COURSE_UNSPECIFIED",
    "strings": [],
    "labels": {},
    "spelledOtherwise": "",
}
PRINTED = [
    # (message, its JSON without defaults, why)
    (echo(int64_value=-5, uint64_value=2**64 - 1), {"int64Value": "-5", "uint64Value": str(2**64 - 1)}, "strings"),
    (echo(int32_value=5, fixed32_value=2**32 - 1), {"int32Value": 5, "fixed32Value": 2**32 - 1}, "numbers"),
    (echo(double_value=NAN, float_value=-math.inf), {"doubleValue": "NaN", "floatValue": "-Infinity"}, "names"),
    (echo(float_value=0.1), {"floatValue": 0.1}, "as short as it reads back, not 0.10000000149011612"),
    (echo(double_value=0.1), {"doubleValue": 0.1}, "a double"),
    (echo(double_value=struct.unpack("f", struct.pack("f", 0.1))[0]), {"doubleValue": 0.10000000149011612}, "long"),
    (echo(bytes_value=b"\xfb\xff"), {"bytesValue": "+/8="}, "base64, padded"),
    (echo(course=2, courses=[99, 1]), {"course": "COURSE_MAIN", "courses": [99, "COURSE_STARTER"]}, "unknown: numbers"),
    (echo(maybe_string="", maybe_int=0), {"maybeString": "", "maybeInt": 0}, "presence prints a zero"),
    (echo(choice_int=0), {"choiceInt": 0}, "so does a oneof"),
    (echo(ingredient={}), {"ingredient": {}}, "and a message"),
    (echo(renamed="a"), {"spelledOtherwise": "a"}, "json_name"),
    (echo(truths={True: "x"}, counts={-1: 2}), {"truths": {"true": "x"}, "counts": {"-1": "2"}}, "keys are strings"),
    (echo(timestamp={"seconds": 1, "nanos": 5_000_000}), {"timestamp": "1970-01-01T00:00:01.005Z"}, "3, 6 or 9 digits"),
    (echo(timestamp={}), {"timestamp": "1970-01-01T00:00:00Z"}, "or none"),
    (echo(duration={"seconds": -1, "nanos": -1}), {"duration": "-1.000000001s"}, "a duration"),
    (echo(mask={"paths": ["a_b.c", "d"]}), {"mask": "aB.c,d"}, "a mask in lowerCamelCase"),
    (echo(wrapped_int64={"value": 5}), {"wrappedInt64": "5"}, "a wrapper as its value"),
    (echo(wrapped_bool={}), {"wrappedBool": False}, "zero included"),
    (
        any_of('{"struct":{"a":[1,null]},"value":null,"list":[]}'),
        {"struct": {"a": [1, None]}, "value": None, "list": []},
        "",
    ),
    (echo(string_value='"\\\x01\u2028</é😀'), {"stringValue": '"\\\x01\u2028</é😀'}, "UTF-8"),
    (echo(any={}), {"any": {}}, "an Any of nothing"),
    (
        any_of('{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}'),
        {"any": {"@type": "x/google.protobuf.Duration", "value": "1s"}},
        "an Any of a message with a form of its own",
    ),
]


def printed(message: Message, *, engine: Engine, **options: bool) -> Any:
    return orjson.loads(CODECS[engine].encoder(type(message), JsonOptions(**options))(message))


@each
@pytest.mark.parametrize(("message", "value", "_why"), PRINTED, ids=[str(row[1])[:50] for row in PRINTED])
def test_prints(message: Message, value: object, _why: str, engine: Engine) -> None:
    assert printed(message, engine=engine, emit_defaults=False) == value


@each
def test_prints_zeros_of_fields_without_presence(engine: Engine) -> None:
    value = printed(echo(), engine=engine)
    assert value.items() >= EMPTY.items()
    absent = {"ingredient", "timestamp", "wrappedBool", "maybeString", "choiceInt", "value", "any"}
    assert not absent & value.keys(), "presence prints nothing where there is nothing"
    assert printed(echo(ingredient={}), engine=engine)["ingredient"] == {"name": "", "grams": 0.0, "parts": []}


@each
def test_prints_proto_names_and_numbers_by_option(engine: Engine) -> None:
    message = echo(renamed="a", course=2, ingredient={"by_hand": 1})
    options = {"preserve_names": True, "enums_as_ints": True, "emit_defaults": False}
    assert printed(message, engine=engine, **options) == {"renamed": "a", "course": 2, "ingredient": {"by_hand": 1}}


@each
def test_prints_compact_utf8(engine: Engine) -> None:
    encode = CODECS[engine].encoder(kitchen.Dish, JsonOptions(emit_defaults=False))
    assert encode(kitchen.Dish(id="é", tags=["a", "b"])) == '{"id":"é","tags":["a","b"]}'.encode()


@each
def test_prints_short_floats_everywhere(engine: Engine) -> None:
    made = kitchen.Ingredient(
        name='"grams":0.10000000149011612',
        grams=0.1,
        parts=[kitchen.Ingredient(grams=grams) for grams in (1e-7, 1 / 3, 1234567.125)],
    )
    assert printed(made, engine=engine, emit_defaults=False) == {
        "name": '"grams":0.10000000149011612',
        "grams": 0.1,
        "parts": [{"grams": 1e-7}, {"grams": 0.33333334}, {"grams": 1234567.1}],
    }
    assert printed(echo(double_value=0.1, wrapped_double={"value": 1 / 3}), engine=engine, emit_defaults=False) == {
        "doubleValue": 0.1,
        "wrappedDouble": 1 / 3,
    }


@each
@pytest.mark.parametrize(
    ("message", "value"),
    [
        (wrappers_pb2.FloatValue(value=0.1), 0.1),
        (wrappers_pb2.StringValue(value="a"), "a"),
        (struct_pb2.Value(null_value=struct_pb2.NULL_VALUE), None),
        (struct_pb2.ListValue(values=[struct_pb2.Value(number_value=1)]), [1]),
    ],
)
def test_messages_with_a_special_form_can_be_whole_bodies(message: Message, value: object, engine: Engine) -> None:
    codec = Codec([wrappers_pb2.DESCRIPTOR, struct_pb2.DESCRIPTOR], engine=engine)
    text = codec.encoder(type(message), JsonOptions())(message)
    assert orjson.loads(text) == value
    assert codec.decoder(type(message))(text, []) == message


def late_type() -> Any:
    """A type that is added to the pool after the codec was built can still be used in an Any."""
    file = descriptor_pb2.FileDescriptorProto(name="late.proto", package="late", syntax="proto3")
    file.message_type.add(name="Late").field.add(name="a", number=1, type=5, label=1)
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName("late.proto")
    except KeyError:
        pool.Add(file)
    return any_pb2.Any(type_url="x/late.Late", value=b"\x08\x05")


@each
def test_an_any_of_a_type_added_after_the_codec_was_built(engine: Engine) -> None:
    message = echo(any=late_type())
    value = {"any": {"@type": "x/late.Late", "a": 5}}
    assert printed(message, engine=engine, emit_defaults=False) == value
    assert ECHO[engine](orjson.dumps(value), []) == message


# One field as the whole body.

FIELDS = [
    # (field, body, the resulting message)
    ("strings", '["a","b"]', echo(strings=["a", "b"])),
    ("strings", "[]", echo()),
    ("ingredients", '[{"name":"a","grams":0.1,"parts":[]}]', echo(ingredients=[{"name": "a", "grams": 0.1}])),
    ("labels", '{"a":"b"}', echo(labels={"a": "b"})),
    ("labels", "{}", echo()),
    ("truths", '{"true":"b"}', echo(truths={True: "b"})),
    ("pantry", '{"a":{"name":"","grams":0.5,"parts":[]}}', echo(pantry={"a": kitchen.Ingredient(grams=0.5)})),
    ("int64_value", '"5"', echo(int64_value=5)),
    ("int64_value", '"0"', echo()),
    ("double_value", '"NaN"', None),
    ("float_value", "0.1", echo(float_value=0.1)),
    ("bool_value", "false", echo()),
    ("bytes_value", '"YQ=="', echo(bytes_value=b"a")),
    ("bytes_value", '""', echo()),
    ("string_value", '"a}\\",{"', echo(string_value='a}",{')),
    ("course", '"COURSE_MAIN"', echo(course=2)),
    ("course", '"COURSE_UNSPECIFIED"', echo()),
    ("ingredient", '{"name":"a","grams":0.0,"parts":[]}', echo(ingredient={"name": "a"})),
    ("timestamp", '"1970-01-01T00:00:01Z"', echo(timestamp={"seconds": 1})),
    ("timestamp", "null", echo()),
    ("wrapped_int64", '"5"', echo(wrapped_int64={"value": 5})),
    ("wrapped_int64", "null", echo()),
    ("maybe_int", "0", echo(maybe_int=0)),
    ("maybe_int", "null", echo()),
    ("struct", '{"a":1.0}', any_of('{"struct":{"a":1}}')),
    ("value", '"x"', echo(value=struct_pb2.Value(string_value="x"))),
    ("list", "[null]", any_of('{"list":[null]}')),
    ("renamed", '"a"', echo(renamed="a")),
]


@each
@pytest.mark.parametrize(("name", "body", "message"), FIELDS, ids=[f"{row[0]} {row[1]}" for row in FIELDS])
def test_a_field_can_be_a_request_and_a_response_body(
    name: str, body: str, message: Message | None, engine: Engine
) -> None:
    field = EchoRequest.DESCRIPTOR.fields_by_name[name]
    made = CODECS[engine].field_decoder(EchoRequest, field)(body.encode(), [])
    if message is not None:
        assert made == message
    shown = CODECS[engine].field_encoder(EchoRequest, field, JsonOptions())(made)
    assert orjson.loads(shown) == orjson.loads(body)


@each
def test_an_absent_message_prints_as_an_empty_one(engine: Engine) -> None:
    field = EchoRequest.DESCRIPTOR.fields_by_name["ingredient"]
    show = CODECS[engine].field_encoder(EchoRequest, field, JsonOptions(emit_defaults=False))
    assert show(echo()) == b"{}"


@each
def test_options_apply_within_a_field(engine: Engine) -> None:
    field = EchoRequest.DESCRIPTOR.fields_by_name["ingredients"]
    show = CODECS[engine].field_encoder(EchoRequest, field, JsonOptions(emit_defaults=False, preserve_names=True))
    assert show(echo(ingredients=[{"by_hand": 1}, {}])) == b'[{"by_hand":1},{}]'
    field = EchoRequest.DESCRIPTOR.fields_by_name["course"]
    assert CODECS[engine].field_encoder(EchoRequest, field, JsonOptions(enums_as_ints=True))(echo()) == b"0"


@each
@pytest.mark.parametrize(
    ("name", "body", "path"),
    [
        ("strings", '["a"],"stringValue":"b"', "strings"),
        ("strings", '["a"]}', "strings"),
        ("strings", "", "strings"),
        ("strings", '["a",1]', "strings[1]"),
        ("ingredient", '{"name":"a"},"stringValue":"b"', "ingredient"),
        ("ingredient", '{"grams":"x"}', "ingredient.grams"),
        ("ingredient", '{"nope":1}', "ingredient.nope"),
        ("ingredient", "[]", "ingredient"),
        ("labels", '{"a":1}', "labels['a']"),
        ("int32_value", "x", "int32Value"),
    ],
)
def test_a_fields_body_sets_only_that_field_and_errors_name_it(name: str, body: str, path: str, engine: Engine) -> None:
    field = EchoRequest.DESCRIPTOR.fields_by_name[name]
    found = refused(CODECS[engine].field_decoder(EchoRequest, field), body.encode())
    assert [one.field for one in found] == [path]
