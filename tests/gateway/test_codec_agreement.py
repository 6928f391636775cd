"""What the JSON engines once disagreed on, or one of them got wrong: each case by every engine."""

from __future__ import annotations

import json
import time
from typing import Any, cast

import pytest
from google.protobuf import any_pb2, struct_pb2, wrappers_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from hypothesis import given

from diptych.codec import Codec, Engine, JsonLimits, JsonOptions, Policy
from kitchen.v1 import kitchen_service_pb2 as kitchen

from .codecs import CODECS, ECHO, each, echo, refused
from .compiled import compiled
from .compiled import message as class_of
from .kinds import Kinds
from .messages import messages
from .proto2 import EXTRA, Old

EchoRequest = kitchen.EchoRequest
LARGEST = 3.4028234663852886e38
CLASH = compiled(
    "clash/v1/clash.proto",
    """
    syntax = "proto3";
    package clash.v1;
    import "google/protobuf/any.proto";
    import "google/protobuf/struct.proto";
    message Pair {
      string a_b = 1 [json_name = "b"];
      string b = 2 [json_name = "c"];
      repeated Pair pairs = 3;
      map<string, Pair> by_name = 4;
      google.protobuf.Any any = 5;
      google.protobuf.NullValue nothing = 6;
      repeated google.protobuf.NullValue nothings = 7;
      optional google.protobuf.NullValue perhaps = 8;
    }
    """,
)
Pair = class_of(CLASH, "Pair")
EXTENDED = compiled(
    "clash/v1/extended.proto",
    """
    syntax = "proto2";
    package clash.v1;
    message Base {
      optional float ratio = 1;
      extensions 100 to 200;
    }
    message More {
      extend Base {
        optional More more = 100;
      }
      optional int32 ratio = 1;
      optional float other = 2;
    }
    """,
)
Base = class_of(EXTENDED, "Base")
MORE = EXTENDED.message_types_by_name["More"].extensions_by_name["more"]


def codec_of(made: Any, engine: Engine, policy: Policy = "strict") -> Codec:
    return Codec([cast(FileDescriptor, made.DESCRIPTOR.file)], engine=engine, policy=policy, limits=JsonLimits())


def text_of(message: Message, engine: Engine, **options: bool) -> str:
    return codec_of(message, engine).encoder(type(message), JsonOptions(**options))(message).decode()


# A member twice.

TWICE = [
    # (body, the field that is named)
    ('{"int32Value":1,"int32Value":1}', "int32Value"),
    ('{"int32Value":1,"int32\\u0056alue":2}', "int32Value"),
    ('{"int32Value" :1,"int32Value" :2}', "int32Value"),
    ('{"int32Value":1,"int32Value"\n:2,"stringValue":"\\":"}', "int32Value"),
    ('{"labels":{"a":"\\":","a":"b"}}', "labels.a"),
    ('{"int32Value":1,"int32_value":1}', "int32_value"),
    ('{"int32_value":null,"int32Value":1}', "int32Value"),
    ('{"renamed":"a","spelledOtherwise":"a"}', "spelledOtherwise"),
    ('{"ingredient":{"by_hand":1,"byHand":1}}', "ingredient.byHand"),
    ('{"ingredients":[{},{"name":"a","name":"b"}]}', "ingredients[1].name"),
    ('{"choiceString":"a","choiceString":"b"}', "choiceString"),
    ('{"choiceString":"a","choice_string":"b"}', "choice_string"),
    ('{"labels":{"a":"b","c":"d","a":"b"}}', "labels.a"),
    ('{"pantry":{"a":{},"a":{}}}', "pantry.a"),
    ('{"struct":{"a":[{"b":1,"b":2}]}}', "struct.a[0].b"),
    ('{"value":{"a":1,"a":1}}', "value.a"),
    ('{"list":[{"a":1,"a":1}]}', "list[0].a"),
    ('{"any":{"@type":"x/kitchen.v1.Ingredient","@type":"x/kitchen.v1.Ingredient"}}', "any.@type"),
    ('{"any":{"@type":"x/kitchen.v1.Ingredient","by_hand":1,"byHand":1}}', "any.byHand"),
    ('{"mask":"a","mask":"a"}', "mask"),
]


@each
@pytest.mark.parametrize(("body", "field"), TWICE, ids=[row[0] for row in TWICE])
def test_a_member_that_stands_twice_is_refused(body: str, field: str, engine: Engine) -> None:
    assert [one.field for one in refused(ECHO[engine], body.encode())] == [field]


@each
def test_a_member_of_a_member_that_is_ignored_may_not_stand_twice_either(engine: Engine) -> None:
    decode = codec_of(EchoRequest, engine, "ignore").decoder(EchoRequest)
    assert [one.field for one in refused(decode, b'{"nope":{"a":1,"a":1}}')] == ["nope.a"]
    assert decode(b'{"nope":{"a":1},"a":1}', []) == echo()


@each
def test_what_is_wrong_in_a_large_body_is_found_in_linear_time(engine: Engine) -> None:
    """Each took minutes for as many as a body may have."""
    labels = ",".join(f'"k{number}":"v"' for number in range(100_000))
    start = time.process_time()
    found = refused(ECHO[engine], f'{{"labels":{{{labels},"k99999":"v"}}}}'.encode())
    assert [one.field for one in found] == ["labels.k99999"]
    courses = ",".join(['"NOPE",1'] * 100_000)
    decode = codec_of(EchoRequest, engine, "ignore").decoder(EchoRequest)
    assert decode(f'{{"courses":[{courses}]}}'.encode(), []) == echo(courses=[1] * 100_000)
    assert time.process_time() - start < 15


# Minus zero.


@each
@pytest.mark.parametrize("zero", ["-0", "-0.0", "-0e0", '"-0"', '"-0.0"'])
def test_minus_zero_keeps_its_sign_where_there_is_one(zero: str, engine: Engine) -> None:
    for name in ("doubleValue", "floatValue", "wrappedDouble"):
        made = ECHO[engine](f'{{"{name}":{zero}}}'.encode(), [])
        assert "-0" in str(made), name
        assert ECHO[engine](text_of(made, engine).encode(), []).SerializeToString() == made.SerializeToString()
    for name in ("int32Value", "uint64Value", "sint32Value"):
        assert ECHO[engine](f'{{"{name}":{zero}}}'.encode(), []) == echo()


@each
def test_minus_zero_is_a_number_of_free_json_and_of_an_enum(engine: Engine) -> None:
    made = ECHO[engine](b'{"struct":{"a":-0,"b":[-0,0,123456789012345678901234567890]},"course":-0}', [])
    assert json.loads(text_of(made, engine))["struct"] == {"a": -0.0, "b": [-0.0, 0, 1.2345678901234568e29]}
    assert str(made).count("-0") == 2


# Numbers.

WHOLE = [
    (echo(double_value=1), '{"doubleValue":1}'),
    (echo(double_value=-100), '{"doubleValue":-100}'),
    (echo(double_value=1e15), '{"doubleValue":1000000000000000}'),
    (echo(double_value=1e16), '{"doubleValue":1e+16}'),
    (echo(double_value=0.5, float_value=2), '{"floatValue":2,"doubleValue":0.5}'),
    (echo(double_value=-0.0), '{"doubleValue":-0.0}'),
    (echo(wrapped_double={"value": 0}), '{"wrappedDouble":0}'),
    (echo(string_value='1.0, "2.0]', labels={"3.0": "4.0}"}), '{"stringValue":"1.0, \\"2.0]","labels":{"3.0":"4.0}"}}'),
    (echo(value=struct_pb2.Value(number_value=3)), '{"value":3}'),
    (
        echo(list=struct_pb2.ListValue(values=[struct_pb2.Value(number_value=one) for one in (1, 10, 0.25, -2)])),
        '{"list":[1,10,0.25,-2]}',
    ),
    (echo(struct=struct_pb2.Struct(fields={"1.0": struct_pb2.Value(number_value=5)})), '{"struct":{"1.0":5}}'),
    (Kinds(double_list=[1, 2.5, 3], double_map={"1.0": 4}), '{"doubleList":[1,2.5,3],"doubleMap":{"1.0":4}}'),
    (wrappers_pb2.DoubleValue(value=7), "7"),
]


@each
@pytest.mark.parametrize(("message", "text"), WHOLE, ids=[row[1] for row in WHOLE])
def test_a_whole_number_has_no_fraction(message: Message, text: str, engine: Engine) -> None:
    assert text_of(message, engine, emit_defaults=False) == text


@each
def test_a_whole_number_alone_in_a_body_has_none_either(engine: Engine) -> None:
    for name in ("double_value", "float_value"):
        show = CODECS[engine].field_encoder(EchoRequest, EchoRequest.DESCRIPTOR.fields_by_name[name], JsonOptions())
        assert (show(echo()), show(echo(**{name: 4}))) == (b"0", b"4")


@each
@pytest.mark.parametrize("number", ["3.4028234663852886e38", "3.4028235e38", '"3.4028235e+38"'])
def test_the_largest_float_is_one_in_an_any_too(number: str, engine: Engine) -> None:
    body = f'{{"any":{{"@type":"x/kitchen.v1.EchoRequest","floatValue":{number}}}}}'.encode()
    packed = any_pb2.Any(type_url="x/kitchen.v1.EchoRequest", value=echo(float_value=LARGEST).SerializeToString())
    assert ECHO[engine](body, []) == echo(any=packed)
    wrapper = f'{{"any":{{"@type":"x/google.protobuf.FloatValue","value":{number}}}}}'.encode()
    packed = any_pb2.Any(type_url="x/google.protobuf.FloatValue", value=b"\x0d\xff\xff\x7f\x7f")
    assert ECHO[engine](wrapper, []) == echo(any=packed)
    assert ECHO[engine](text_of(echo(any=packed), engine).encode(), []) == echo(any=packed)
    decode = codec_of(wrappers_pb2.FloatValue, engine).decoder(wrappers_pb2.FloatValue)
    assert decode(number.encode(), []) == wrappers_pb2.FloatValue(value=LARGEST)


# Names.


@each
@given(messages(Pair.DESCRIPTOR))
def test_a_proto_name_that_is_another_field_s_json_name_reads_back(engine: Engine, message: Message) -> None:
    codec = codec_of(message, engine)
    for preserve in (False, True):
        text = codec.encoder(Pair, JsonOptions(preserve_names=preserve))(message)
        assert codec.decoder(Pair)(text, []) == message


@each
def test_such_a_name_reads_back_in_an_any_too(engine: Engine) -> None:
    packed = any_pb2.Any(type_url="x/clash.v1.Pair", value=Pair(a_b="1", b="2").SerializeToString())
    for preserve in (False, True):
        text = text_of(echo(any=packed), engine, emit_defaults=False, preserve_names=preserve)
        assert ECHO[engine](text.encode(), []) == echo(any=packed)


@each
def test_json_has_the_json_name_first(engine: Engine) -> None:
    decode = codec_of(Pair, engine).decoder(Pair)
    assert decode(b'{"b":"1","c":"2"}', []) == Pair(a_b="1", b="2")
    assert decode(b'{"a_b":"1","c":"2"}', []) == Pair(a_b="1", b="2")
    assert [one.field for one in refused(decode, b'{"a_b":"1","b":"2"}')] == ["b"]
    message = Pair(a_b="1", b="2", pairs=[Pair(b="3")])
    assert text_of(message, engine, emit_defaults=False) == '{"b":"1","c":"2","pairs":[{"c":"3"}]}'
    kept = text_of(message, engine, emit_defaults=False, preserve_names=True)
    assert kept == '{"a_b":"1","c":"2","pairs":[{"c":"3"}]}'


# NullValue, extensions and aliases.


@each
@pytest.mark.parametrize("ints", [False, True])
def test_null_value_is_null_whatever_the_options(ints: bool, engine: Engine) -> None:
    message = Pair(perhaps=0, nothings=[0])
    text = text_of(message, engine, enums_as_ints=ints, emit_defaults=False)
    assert text == '{"nothings":[null],"perhaps":null}'
    assert json.loads(text_of(message, engine, enums_as_ints=ints))["nothing"] is None
    alone = Pair.DESCRIPTOR.fields_by_name["nothing"]
    assert codec_of(Pair, engine).field_encoder(Pair, alone, JsonOptions(enums_as_ints=ints))(message) == b"null"
    assert codec_of(Pair, engine).decoder(Pair)(text.encode(), []) == message


@each
def test_an_extension_has_its_full_name_in_brackets(engine: Engine) -> None:
    message = Old(text="a")
    message.Extensions[EXTRA] = 5
    text = text_of(message, engine, emit_defaults=False)
    assert text == '{"text":"a","[old.extra]":5}'
    decode = codec_of(Old, engine).decoder(Old)
    assert decode(text.encode(), []) == message
    assert decode(b'{"[old.extra]":null}', []) == Old()
    assert [one.field for one in refused(decode, b'{"[old.extra]":"x"}')] == ["[old.extra]"]
    assert [one.field for one in refused(decode, b'{"[old.nothing]":1}')] == ["[old.nothing]"]
    assert [one.field for one in refused(decode, b'{"[old.extra]":1,"[old.extra]":1}')] == ["[old.extra]"]


@each
def test_a_number_in_an_extension_named_like_a_float_is_kept(engine: Engine) -> None:
    message = Base(ratio=0.1)
    more = message.Extensions[MORE]
    more.ratio, more.other = 1234567936, 0.1
    text = text_of(message, engine)
    assert text == '{"ratio":0.1,"[clash.v1.More.more]":{"ratio":1234567936,"other":0.1}}'
    assert codec_of(Base, engine).decoder(Base)(text.encode(), []) == message


@each
def test_an_alias_prints_as_the_first_declared_name(engine: Engine) -> None:
    message = Kinds(aliased_one=1, aliased_list=[0, 1], aliased_map={"a": 1}, float_one=0.1)
    value = json.loads(text_of(message, engine))
    assert (value["aliasedOne"], value["aliasedList"], value["aliasedMap"]) == (
        "FIRST",
        ["NONE", "FIRST"],
        {"a": "FIRST"},
    )
    field = Kinds.DESCRIPTOR.fields_by_name["aliased_one"]
    show = codec_of(Kinds, engine).field_encoder(Kinds, field, JsonOptions())
    assert (show(Kinds()), show(message)) == (b'"NONE"', b'"FIRST"')


# Unknown names of enums.


@each
def test_ignore_passes_over_unknown_names_of_enums(engine: Engine) -> None:
    decode = codec_of(Kinds, engine, "ignore").decoder(Kinds)
    body = (
        b'{"aliasedOne":"NEW","aliasedList":["FIRST","NEW","SECOND","NEWER"],"aliasedMap":{"a":"NEW","b":"FIRST"},'
        b'"belowOne":{"aliasedOne":"NEW","int32One":1},"belowMap":{"a":{"aliasedList":["NEW"]}},"aliasedChoice":"NEW"}'
    )
    expected = Kinds(aliased_list=[1, 1], aliased_map={"b": 1}, below_one={"int32_one": 1}, below_map={"a": Kinds()})
    assert decode(body, []) == expected
    assert [one.field for one in refused(decode, b'{"aliasedOne":1.5,"aliasedList":[true]}')] == [
        "aliasedOne",
        "aliasedList[0]",
    ]


@each
def test_ignore_does_so_in_an_any_and_where_the_body_is_an_enum(engine: Engine) -> None:
    codec = Codec([kitchen.DESCRIPTOR], engine=engine, policy="ignore")
    decode = codec.decoder(EchoRequest)
    packed = any_pb2.Any(type_url="x/kitchen.v1.EchoRequest", value=echo(courses=[2]).SerializeToString())
    body = b'{"any":{"@type":"x/kitchen.v1.EchoRequest","course":"NEW","courses":["NEW","COURSE_MAIN"]}}'
    assert decode(body, []) == echo(any=packed)
    for name, value in (("course", b'"NEW"'), ("courses", b'["NEW"]')):
        assert codec.field_decoder(EchoRequest, EchoRequest.DESCRIPTOR.fields_by_name[name])(value, []) == echo()


# Required fields of proto2.


@each
def test_a_missing_required_field_is_named(engine: Engine) -> None:
    codec = codec_of(Old, engine)
    decode = codec.whole_decoder(Old)
    assert decode(b'{"needs":{"must":""}}', []) == Old(needs={"must": ""})
    (missing,) = refused(decode, b'{"needs":{}}')
    assert (missing.field, missing.description) == ("needs.must", "missing required field")
    assert codec.decoder(Old)(b'{"text":"a"}', []) == Old(text="a")
