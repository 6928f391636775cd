"""Messages to JSON and back, by every engine of the codec, which must not differ.

The tables hold the proto3 JSON mapping row by row; `test_codec_properties` looks for what they forgot.
"""

from __future__ import annotations

import math
import sys
from types import ModuleType

import orjson
import pytest
from google.protobuf import any_pb2, json_format, struct_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2

from diptych.codec import Codec, Decoder, Engine, JsonLimits, JsonOptions, Policy
from kitchen.v1 import kitchen_service_pb2 as kitchen

from .codecs import ECHO, each, echo, refused

EchoRequest = kitchen.EchoRequest


def decoder(made: type[Message], *, engine: Engine, policy: Policy = "strict", **limits: int) -> Decoder:
    return Codec([kitchen.DESCRIPTOR], engine=engine, policy=policy, limits=JsonLimits(**limits)).decoder(made)


def any_of(text: str) -> kitchen.EchoRequest:
    """An EchoRequest whose Any was made by json_format, the reference."""
    return json_format.Parse(text, EchoRequest())


NAN = math.nan
TAKEN = [
    # (body, message, why it is accepted)
    ("{}", echo(), "nothing is a message"),
    (" \r\n\t{ } ", echo(), "JSON's white space"),
    ('{"int32Value":1}', echo(int32_value=1), "lowerCamelCase"),
    ('{"int32_value":1}', echo(int32_value=1), "proto names are taken too"),
    ('{"spelledOtherwise":"a"}', echo(renamed="a"), "json_name"),
    ('{"renamed":"a"}', echo(renamed="a"), "the proto name of a field with a json_name"),
    ('{"int32Value":1.0}', echo(int32_value=1), "a whole number, however it is written"),
    ('{"int32Value":1e2}', echo(int32_value=100), "an exponent"),
    ('{"int32Value":-0.0}', echo(), "minus zero is zero"),
    ('{"int32Value":"-5"}', echo(int32_value=-5), "quotes are fine around a number"),
    ('{"int32Value":"1e2"}', echo(int32_value=100), "in quotes too"),
    ('{"int32Value":"1.0"}', echo(int32_value=1), "in quotes too"),
    ('{"int64Value":"9223372036854775807"}', echo(int64_value=2**63 - 1), "int64 is a string"),
    ('{"int64Value":9223372036854775807}', echo(int64_value=2**63 - 1), "and a number, which is exact here"),
    ('{"int64Value":"-9223372036854775808"}', echo(int64_value=-(2**63)), "the least"),
    ('{"uint64Value":"18446744073709551615"}', echo(uint64_value=2**64 - 1), "the most"),
    ('{"sint64Value":"-1","sfixed64Value":"-2"}', echo(sint64_value=-1, sfixed64_value=-2), "other encodings"),
    ('{"fixed32Value":4294967295}', echo(fixed32_value=2**32 - 1), "unsigned"),
    ('{"floatValue":1.5}', echo(float_value=1.5), "a float"),
    ('{"floatValue":3.4028235e+38}', echo(float_value=3.4028234663852886e38), "the largest, as Go and Java print it"),
    ('{"wrappedDouble":1,"doubleValue":1}', echo(wrapped_double={"value": 1}, double_value=1), "whole numbers"),
    ('{"doubleValue":"Infinity"}', echo(double_value=math.inf), "named"),
    ('{"doubleValue":"-Infinity"}', echo(double_value=-math.inf), "named"),
    ('{"doubleValue":"1.5e3"}', echo(double_value=1500), "quoted"),
    ('{"doubleValue":-0.0}', echo(double_value=-0.0), "the sign of zero is kept"),
    ('{"boolValue":true}', echo(bool_value=True), "a boolean"),
    ('{"stringValue":"\\u0000é😀\\ud83d\\ude00"}', echo(string_value="\0é😀😀"), "every character"),
    ('{"bytesValue":"+/8="}', echo(bytes_value=b"\xfb\xff"), "base64"),
    ('{"bytesValue":"-_8"}', echo(bytes_value=b"\xfb\xff"), "base64url, unpadded"),
    ('{"bytesValue":"YQ="}', echo(bytes_value=b"a"), "half the padding"),
    ('{"course":"COURSE_MAIN"}', echo(course=2), "enums by name"),
    ('{"course":2}', echo(course=2), "and by number"),
    ('{"course":99}', echo(course=99), "proto3 enums are open"),
    ('{"courses":["COURSE_MAIN",3]}', echo(courses=[2, 3]), "mixed"),
    ('{"ingredient":{}}', echo(ingredient={}), "an empty message is present"),
    ('{"ingredient":null,"int32Value":null,"strings":null,"labels":null}', echo(), "null is absent"),
    ('{"choiceString":null,"choiceInt":1}', echo(choice_int=1), "null sets no member of a oneof"),
    ('{"choiceInt":0}', echo(choice_int=0), "a oneof has presence"),
    ('{"maybeString":"","maybeInt":0,"maybeCourse":0}', echo(maybe_string="", maybe_int=0, maybe_course=0), "optional"),
    ('{"labels":{"":"x"}}', echo(labels={"": "x"}), "any string is a key"),
    ('{"counts":{"-1":"2"}}', echo(counts={-1: 2}), "keys are strings"),
    ('{"truths":{"true":"x"}}', echo(truths={True: "x"}), "even booleans"),
    ('{"pantry":{"a":{"grams":1}}}', echo(pantry={"a": kitchen.Ingredient(grams=1)}), "messages in maps"),
    ('{"timestamp":"2026-01-31T12:00:00.5+01:00"}', any_of('{"timestamp":"2026-01-31T11:00:00.500Z"}'), "an offset"),
    ('{"timestamp":"0001-01-01T00:00:00Z"}', any_of('{"timestamp":"0001-01-01T00:00:00Z"}'), "the first"),
    ('{"duration":"-1.000000001s"}', echo(duration={"seconds": -1, "nanos": -1}), "both parts negative"),
    ('{"mask":"a,bC.d"}', echo(mask={"paths": ["a", "b_c.d"]}), "a FieldMask is one string"),
    ('{"mask":""}', echo(mask={}), "which may be empty"),
    ('{"wrappedInt64":"1"}', echo(wrapped_int64={"value": 1}), "a wrapper is its value"),
    ('{"wrappedString":null}', echo(), "or null"),
    ('{"wrappedBool":false}', echo(wrapped_bool={}), "whose zero is present"),
    ('{"wrappedBytes":"YQ"}', echo(wrapped_bytes={"value": b"a"}), "of any kind"),
    ('{"struct":{"a":[1,null,{"b":true}]}}', any_of('{"struct":{"a":[1,null,{"b":true}]}}'), "free JSON"),
    ('{"struct":{}}', echo(struct={}), "which may be empty"),
    ('{"value":null}', echo(value=struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)), "null is a Value"),
    ('{"value":"NaN"}', echo(value=struct_pb2.Value(string_value="NaN")), "a string in a Value is a string"),
    ('{"list":[1,[]]}', any_of('{"list":[1,[]]}'), "an array"),
    ('{"any":{}}', echo(any={}), "an Any of nothing"),
    (
        '{"any":{"grams":2,"@type":"example.com/x/kitchen.v1.Ingredient"}}',
        echo(any=any_pb2.Any(type_url="example.com/x/kitchen.v1.Ingredient", value=b"\x15\0\0\0@")),
        "the type may stand last, and its URL is the client's",
    ),
    (
        '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}',
        any_of('{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}'),
        "a message with a JSON form of its own stands in value",
    ),
    (
        '{"any":{"@type":"type.googleapis.com/google.protobuf.Empty"}}',
        any_of('{"any":{"@type":"type.googleapis.com/google.protobuf.Empty"}}'),
        "Empty has none",
    ),
]


@each
@pytest.mark.parametrize(("body", "message", "_why"), TAKEN, ids=[f"{row[2]}: {row[0][:40]}" for row in TAKEN])
def test_takes(body: str, message: Message, _why: str, engine: Engine) -> None:
    assert ECHO[engine](body.encode(), []) == message


@each
def test_nan_is_accepted(engine: Engine) -> None:
    assert math.isnan(ECHO[engine](b'{"doubleValue":"NaN"}', []).double_value)  # type: ignore[attr-defined]


REFUSED = [
    # (body, the named field, why it is refused)
    ('{"int32Value":1.5}', "int32Value", "not whole"),
    ('{"int32Value":2147483648}', "int32Value", "out of range"),
    ('{"uint32Value":-1}', "uint32Value", "out of range"),
    ('{"int32Value":true}', "int32Value", "a boolean is no number"),
    ('{"int32Value":""}', "int32Value", "empty"),
    ('{"int32Value":" 1"}', "int32Value", "spaces"),
    ('{"int32Value":"0x1"}', "int32Value", "hexadecimal"),
    ('{"int64Value":9223372036854775808}', "int64Value", "out of range"),
    ('{"uint64Value":"18446744073709551616"}', "uint64Value", "out of range"),
    ('{"floatValue":3.5e38}', "floatValue", "beyond every float"),
    ('{"floatValue":"nan"}', "floatValue", "NaN is spelled NaN"),
    ('{"doubleValue":"1e400"}', "doubleValue", "beyond every double"),
    ('{"doubleValue":true}', "doubleValue", "a boolean is no number"),
    ('{"doubleValue":NaN}', "", "not JSON"),
    ('{"doubleValue":1e400}', "", "a number no double holds"),
    ('{"struct":{"a":1e400}}', "", "nor a Value"),
    ('{"boolValue":"true"}', "boolValue", "a string is no boolean"),
    ('{"boolValue":1}', "boolValue", "a number is no boolean"),
    ('{"stringValue":1}', "stringValue", "a number is no string"),
    ('{"stringValue":"\\ud800"}', "", "half a character"),
    ('{"bytesValue":"Y"}', "bytesValue", "no base64 is so long"),
    ('{"bytesValue":"Y Q="}', "bytesValue", "spaces"),
    ('{"bytesValue":"+/-_"}', "bytesValue", "two alphabets"),
    ('{"bytesValue":"YWJj="}', "bytesValue", "padding where none is due"),
    ('{"course":"COURSE_NONE"}', "course", "unknown name"),
    ('{"course":"course_main"}', "course", "names have a case"),
    ('{"course":"2"}', "course", "a number is no string"),
    ('{"course":2.0}', "course", "not an integer"),
    ('{"course":true}', "course", "a boolean"),
    ('{"course":2147483648}', "course", "out of range"),
    ('{"courses":[null]}', "courses[0]", "no null in arrays"),
    ('{"strings":"a"}', "strings", "expected an array"),
    ('{"strings":["a",1]}', "strings[1]", "the index is named"),
    ('{"labels":["a"]}', "labels", "expected an object"),
    ('{"labels":{"a":null}}', "labels['a']", "no null in maps"),
    ('{"labels":{"a":1}}', "labels['a']", "the key is named"),
    ('{"counts":{"x":"1"}}', "counts['x']", "the key is of the wrong kind"),
    ('{"truths":{"True":"x"}}', "truths['True']", "true is spelled true"),
    ('{"ingredient":[]}', "ingredient", "expected an object"),
    ('{"ingredient":{"grams":"x"}}', "ingredient.grams", "the path"),
    ('{"ingredients":[{},{"parts":[{"grams":"x"}]}]}', "ingredients[1].parts[0].grams", "the whole path"),
    ('{"pantry":{"a":{"grams":[]}}}', "pantry['a'].grams", "through maps"),
    ('{"choiceString":"a","choiceInt":1}', "choiceInt", "two of a oneof"),
    ('{"choice\\u0053tring":"a","choiceInt":1}', "choiceInt", "however they are written"),
    ('{"ingredients":[{"byHand":1,"byScale":"x"}]}', "ingredients[0].byScale", "anywhere"),
    ('{"timestamp":"2026-01-31"}', "timestamp", "no time"),
    ('{"timestamp":"2026-01-31T12:00:00"}', "timestamp", "no zone"),
    ('{"timestamp":"2026-1-31T12:00:00Z"}', "timestamp", "RFC 3339 has two digits"),
    ('{"timestamp":"2026-02-30T12:00:00Z"}', "timestamp", "no such day"),
    ('{"timestamp":"2026-01-31T12:00:00+25:00"}', "timestamp", "no such zone"),
    ('{"timestamp":"9999-12-31T23:59:59-01:00"}', "timestamp", "in the year 10000"),
    ('{"timestamp":1}', "timestamp", "a number"),
    ('{"duration":"1"}', "duration", "no s"),
    ('{"duration":"+1s"}', "duration", "a sign that is not due"),
    ('{"duration":"1.0000000001s"}', "duration", "ten digits"),
    ('{"duration":"315576000001s"}', "duration", "ten thousand years and a second"),
    ('{"mask":"a_b"}', "mask", "lowerCamelCase"),
    ('{"mask":["a"]}', "mask", "an array"),
    ('{"wrappedString":{"value":"a"}}', "wrappedString", "a wrapper is its value"),
    ('{"wrappedInt64":1.5}', "wrappedInt64", "checked as its value"),
    ('{"struct":[]}', "struct", "expected an object"),
    ('{"list":{}}', "list", "expected an array"),
    ('{"any":[]}', "any", "expected an object"),
    ('{"any":{"value":1}}', "any.@type", "no type"),
    ('{"any":{"@type":"kitchen.v1.Ingredient"}}', "any.@type", "no URL"),
    ('{"any":{"@type":"type.googleapis.com/kitchen.v1.Nothing"}}', "any.@type", "an unknown type"),
    ('{"any":{"@type":"type.googleapis.com/kitchen.v1.Ingredient","grams":"x"}}', "any.grams", "the path within"),
    ('{"any":{"@type":"type.googleapis.com/google.protobuf.Duration"}}', "any.value", "missing value"),
    ('{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"x"}}', "any.value", "wrong in value"),
    ('{"any":{"@type":"a/google.protobuf.Duration","value":"1s","x":1}}', "any.x", "more than value"),
    ('{"unknown":1}', "unknown", "an unknown field"),
    ('{"ingredient":{"unknown":1}}', "ingredient.unknown", "an unknown field in a message"),
    ('{"Int32Value":1}', "Int32Value", "names have a case"),
    ('{"[kitchen.ext]":1}', "[kitchen.ext]", "no extensions"),
    ("[]", "", "not an object"),
    ("null", "", "not an object"),
    ('"x"', "", "not an object"),
    ("", "", "not JSON"),
    ("{", "", "cut off"),
    ("{}{}", "", "two texts"),
    ('{"int32Value":01}', "", "a leading zero"),
    ('{"strings":["a",]}', "", "a trailing comma"),
    ("{'a':1}", "", "single quotes"),
    ('{"stringValue":"a\nb"}', "", "a bare control character"),
]


@each
@pytest.mark.parametrize(("body", "field", "_why"), REFUSED, ids=[f"{row[2]}: {row[0][:40]}" for row in REFUSED])
def test_refuses_and_names_the_field(body: str, field: str, _why: str, engine: Engine) -> None:
    found = refused(ECHO[engine], body.encode())
    assert [violation.field for violation in found] == [field]
    assert found[0].description


@each
def test_refuses_what_is_not_utf8(engine: Engine) -> None:
    told = refused(ECHO[engine], b'{"stringValue":"\xff"}')[0].description
    assert told == "the body is not valid UTF-8: invalid byte at offset 16"


@each
def test_names_every_fault_up_to_twenty_and_says_where_json_breaks(engine: Engine) -> None:
    body = b'{"int32Value":"x","ingredient":{"grams":[]},"nope":1}'
    assert [one.field for one in refused(ECHO[engine], body)] == ["int32Value", "ingredient.grams", "nope"]
    many = orjson.dumps({"ints": ["x"] * 1000})
    assert len(refused(ECHO[engine], many)) == 20
    unknown = orjson.dumps({f"x{number}": 1 for number in range(1000)})
    assert len(refused(ECHO[engine], unknown)) == 20
    assert "line 2 column 2" in refused(ECHO[engine], b'{"int32Value":1,\n x}')[0].description


@each
def test_suggests_the_field_that_was_meant(engine: Engine) -> None:
    assert "did you mean 'int32Value'?" in refused(ECHO[engine], b'{"int32Valeu":1}')[0].description


@each
def test_a_long_name_is_neither_compared_nor_repeated(engine: Engine) -> None:
    body = orjson.dumps({"x" * 1_000_000: 1})
    assert len(refused(ECHO[engine], body)[0].field) < 300


@each
@pytest.mark.parametrize(
    ("policy", "warnings"),
    [("warn", ["nope", "ingredient.nope", "ingredients[0].nope", "any.nope"]), ("ignore", [])],
)
def test_unknown_fields_are_accepted_by_policy(policy: Policy, warnings: list[str], engine: Engine) -> None:
    body = (
        b'{"nope":{"a":[1]},"ingredient":{"nope":1,"grams":2},"ingredients":[{"nope":null}],'
        b'"any":{"@type":"x/kitchen.v1.Ingredient","nope":1}}'
    )
    seen: list[str] = []
    made = decoder(EchoRequest, engine=engine, policy=policy)(body, seen)
    assert seen == warnings
    assert made == echo(ingredient={"grams": 2}, ingredients=[{}], any={"type_url": "x/kitchen.v1.Ingredient"})


@each
def test_warn_accepts_only_unknown_fields(engine: Engine) -> None:
    decode = decoder(EchoRequest, engine=engine, policy="warn")
    assert [one.field for one in refused(decode, b'{"nope":1,"course":"NOPE"}')] == ["course"]
    assert [one.field for one in refused(decode, b'{"courses":["NOPE"]}')] == ["courses[0]"]


# Bodies that nest too deep, and bodies that only seem to.
DEEP = [
    (b'{"list":' + b"[" * 40 + b"]" * 40 + b"}", True, "as deep as protobuf reads a ListValue, or less"),
    (b'{"list":' + b"[" * 63 + b"]" * 63 + b"}", False, "two messages a level: more than protobuf reads"),
    (b'{"struct":' + b'{"a":' * 40 + b"1" + b"}" * 41, False, "three messages a level"),
    (b'{"ingredient":' + b'{"parts":[' * 31 + b"]}" * 31 + b"}", True, "63 levels"),
    (b'{"ingredient":' + b'{"parts":[' * 32 + b"]}" * 32 + b"}", False, "65 levels"),
    (b'{"strings":["' + b"[" * 1000 + b'"]}', True, "brackets in a string are text"),
    (b'{"strings":["\\"' + b"[" * 1000 + b'\\\\"]}', True, "an escaped quote ends no string"),
    (b'{"ingredients":[' + b"{}," * 1000 + b"{}]}", True, "many are not deep"),
    (b'{"ingredients":[' + b'{"name":"]{"},' * 1000 + b"{}]}", True, "with brackets in strings too"),
    (b"[" * 100_000, False, "never closed"),
    (b"]" * 100_000, False, "never opened"),
    (b"[]" * 100, False, "no JSON, and not deep"),
]


@each
@pytest.mark.parametrize(("body", "taken", "_why"), DEEP, ids=[row[2] for row in DEEP])
def test_nesting(body: bytes, taken: bool, _why: str, engine: Engine) -> None:
    if taken:
        ECHO[engine](body, [])
    else:
        assert refused(ECHO[engine], body)


def test_an_older_codec_in_rust_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    older = ModuleType("diptych_json")
    vars(older).update(Printer=type("Printer", (), {}), Table=object)
    monkeypatch.setitem(sys.modules, "diptych_json", older)
    monkeypatch.delitem(sys.modules, "diptych.codec.wire", raising=False)
    encode = Codec([status_pb2.DESCRIPTOR]).encoder(status_pb2.Status, JsonOptions())
    assert encode(status_pb2.Status(code=5)) == b'{"code":5,"message":"","details":[]}'
    assert "install the same version of both" in caplog.text
