"""Properties of the codec over random messages and bodies: the engines agree, and what is printed reads back."""

from __future__ import annotations

import json
from typing import cast

from google.protobuf import struct_pb2
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from hypothesis import example, given
from hypothesis import strategies as st

from diptych.codec import Codec, Engine, JsonOptions
from diptych.status import StatusError
from kitchen.v1 import kitchen_service_pb2 as kitchen

from .codecs import CODECS, ECHO, ENGINES, each, echo, violations
from .kinds import Kinds
from .messages import messages

EchoRequest = kitchen.EchoRequest
OPTIONS = st.builds(JsonOptions, emit_defaults=st.booleans(), preserve_names=st.booleans(), enums_as_ints=st.booleans())
PLAIN = JsonOptions(emit_defaults=False)


def outcome(engine: Engine, body: bytes) -> object:
    """The message's bytes, or that it was refused and for which fields."""
    try:
        message = ECHO[engine](body, [])
    except StatusError as error:
        return tuple(one.field for one in violations(error))
    return message.SerializeToString(deterministic=True)


STRAYS = st.sampled_from([field.json_name for field in EchoRequest.DESCRIPTOR.fields] + ["nope", "@type", "value"])
TEXTS = (
    st.from_regex(r"\A[+-]?[0-9_.eE+-]{0,8}\Z")
    | st.from_regex(r"\A-?[0-9]{0,3}\.?[0-9]{0,11}s?\Z")
    | st.from_regex(r"\A[A-Za-z0-9+/_=-]{0,9}\Z")
    | st.from_regex(r"\A(19|20|00)?[0-9]{2}-[01]?[0-9]-[0-3]?[0-9]T?[0-9:]{0,8}(\.[0-9]{0,10})?(Z|[+-]\d\d:\d\d)?\Z")
    | st.sampled_from(["true", "false", "NaN", "Infinity", "-Infinity", "inf", "COURSE_MAIN", "x/kitchen.v1.Dish", "٣"])
    | st.text(max_size=6)
)
NUMBERS = st.integers(-(2**65), 2**65) | st.integers(-300, 300) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRAYS | TEXTS, inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(STRAYS, VALUES, min_size=1, max_size=3)


@given(BODIES)
@example({"duration": "1.s"})
@example({"floatValue": 3.4028235e38})
@example({"any": {"@type": "x/kitchen.v1.EchoRequest", "floatValue": 3.4028235e38}})
def test_the_engines_agree(value: dict[str, object]) -> None:
    body = json.dumps(value).encode()
    assert outcome("wire", body) == outcome("native", body) == outcome("fallback", body)


@given(st.sampled_from([*EchoRequest.DESCRIPTOR.fields]), TEXTS | NUMBERS)
def test_the_engines_agree_on_every_scalar(field: FieldDescriptor, value: object) -> None:
    for shape in (value, [value], {"1": value}, {str(value): value}, {str(value): str(value)}):
        body = json.dumps({field.json_name: shape}).encode()
        assert outcome("wire", body) == outcome("native", body) == outcome("fallback", body)


@given(st.binary(max_size=20) | st.text('{}[]",:1ae\\ ', max_size=20).map(str.encode))
def test_the_engines_agree_on_what_is_json(body: bytes) -> None:
    assert outcome("wire", body) == outcome("native", body) == outcome("fallback", body)


def same(one: Message, other: Message) -> bool:
    """Equality in which any NaN equals any other."""
    return str(one) == str(other)


def codec_of(message: Message, engine: Engine) -> Codec:
    return Codec([cast(FileDescriptor, message.DESCRIPTOR.file)], engine=engine)


def printed(message: Message, engine: Engine, options: JsonOptions) -> bytes:
    return codec_of(message, engine).encoder(type(message), options)(message)


@each
@given(st.one_of([messages(made.DESCRIPTOR) for made in (EchoRequest, Kinds)]), OPTIONS)
def test_printed_messages_parse_back(engine: Engine, message: Message, options: JsonOptions) -> None:
    text = printed(message, engine, options)
    for other in ENGINES:
        assert same(codec_of(message, other).decoder(type(message))(text, []), message)


@given(st.one_of([messages(made.DESCRIPTOR) for made in (EchoRequest, kitchen.ListDishesResponse, Kinds)]), OPTIONS)
@example(kitchen.ListDishesResponse(dishes=[kitchen.Dish(ingredients=[kitchen.Ingredient(grams=2.05873e-40)])]), PLAIN)
@example(kitchen.Ingredient(grams=0.00024414062), PLAIN)
@example(kitchen.Ingredient(grams=3.4028234663852886e38), PLAIN)
@example(kitchen.Ingredient(grams=1e-05), PLAIN)
def test_the_engines_print_the_same(message: Message, options: JsonOptions) -> None:
    wire, native, fallback = (printed(message, engine, options) for engine in ENGINES)
    assert wire == native == fallback


@given(st.floats(width=32), st.floats())
def test_the_engines_write_numbers_the_same(single: float, double: float) -> None:
    message = Kinds(float_one=single, double_one=double, float_list=[single], double_list=[double])
    wire, native, fallback = (printed(message, engine, PLAIN) for engine in ENGINES)
    assert wire == native == fallback


KEYS = st.sampled_from([name for field in Kinds.DESCRIPTOR.fields for name in (field.name, field.json_name)])
INTEGERS = st.integers(0, 2**31 - 1)


@each
@given(st.dictionaries(KEYS, INTEGERS, min_size=1, max_size=4), st.floats(width=32, allow_nan=False))
def test_a_map_s_keys_named_like_fields_change_no_value(engine: Engine, values: dict[str, int], single: float) -> None:
    message = Kinds(int32_map=values, uint32_map=values, float_one=single)
    codec = codec_of(message, engine)
    text = codec.encoder(Kinds, JsonOptions())(message)
    assert json.loads(text)["int32Map"] == json.loads(text)["uint32Map"] == values
    assert codec.decoder(Kinds)(text, []) == message


@each
@given(st.sampled_from([*EchoRequest.DESCRIPTOR.fields]), st.data())
def test_every_single_field_parses_back(engine: Engine, field: FieldDescriptor, data: st.DataObject) -> None:
    message = data.draw(messages(EchoRequest.DESCRIPTOR).map(lambda whole: only(whole, field.name)))
    text = CODECS[engine].field_encoder(EchoRequest, field, JsonOptions())(message)
    made = CODECS[engine].field_decoder(EchoRequest, field)(text, [])
    if field.name in ("ingredient", "choice_ingredient"):
        getattr(message, field.name).SetInParent()  # an absent one prints as an empty one
    if field.name == "value" and not message.HasField("value"):
        message.MergeFrom(echo(value=struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)))  # null is a Value too
    assert same(made, message)


def only(whole: Message, name: str) -> Message:
    made = type(whole)()
    if any(field.name == name for field, _ in whole.ListFields()):
        for field in whole.DESCRIPTOR.fields:
            if field.name != name:
                whole.ClearField(field.name)
        made.MergeFrom(whole)
    return made
