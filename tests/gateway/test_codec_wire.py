"""What the codec in Rust converts by itself, and what it leaves to the complete engines.

Its answers are compared with theirs in `test_codec` and `test_codec_properties`. Where it is not built these tests are
skipped, unless TESTS_JSON_CODEC=required.
"""

from __future__ import annotations

import math
import os
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import pytest
from google.protobuf import any_pb2, field_mask_pb2, json_format, struct_pb2, wrappers_pb2
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from diptych.codec import Codec, Engine, JsonLimits, JsonOptions
from diptych.status import StatusError
from kitchen.v1 import kitchen_service_pb2 as kitchen

from .codecs import ENGINES, echo, refused
from .kinds import Kinds
from .proto2 import EXTRA, Old

pytestmark = pytest.mark.skipif(
    find_spec("diptych_json") is None and os.environ.get("TESTS_JSON_CODEC") != "required",
    reason="gateway/json-codec is not built; it needs cargo",
)
EchoRequest = kitchen.EchoRequest


class Slow(Exception):
    """The codec was not certain."""


def slow(*_: object) -> Any:
    raise Slow


def printed(message: Message, **options: bool) -> bytes:
    from diptych.codec.wire import WireJson

    codec = WireJson()
    return codec.printer(type(message), JsonOptions(**options), slow)(message)


def parsed(
    made: type[Message], body: str, field: str | None = None, *, depth: int = 64, elements: int = 1000
) -> Message:
    from diptych.codec.wire import WireJson

    codec, limits = WireJson(), JsonLimits(depth=depth, elements=elements)
    if field is None:
        return codec.parser(made, limits, slow)(body.encode(), [])
    found = made.DESCRIPTOR.fields_by_name[field]
    return codec.field_parser(made, found, limits, slow)(body.encode(), [])  # type: ignore[arg-type]


def value(json: str) -> Message:
    return json_format.Parse(json, EchoRequest())


CERTAIN = [
    echo(),
    echo(float_value=0.1, double_value=math.nan, int64_value=-5, bytes_value=b"\xff", string_value='"é'),
    echo(course=2, courses=[1, 99], ints=[1, -1], ingredient={"by_hand": 1}, maybe_int=0, choice_int=0),
    echo(labels={"a": "b"}, counts={-1: 5}, truths={True: ""}, pantry={"a": kitchen.Ingredient(grams=1)}),
    echo(timestamp={"seconds": 5}, duration={"seconds": -1, "nanos": -1}, mask={"paths": ["a_b.c"]}),
    echo(wrapped_string={}, wrapped_int64={"value": 5}, wrapped_bytes={"value": b"a"}, wrapped_double={"value": 0.1}),
    value('{"struct":{"a":[1,null,"x",{"b":true}]},"value":{"a":0.1},"list":[[],{}]}'),
    Kinds(aliased_one=1, aliased_list=[1, -1, 0, 7], wrapped_float_list=[{"value": 0.1}, {}], by_bool={True: False}),
    Kinds(below_one={"below_one": {"below_map": {"a": {"bytes_list": [b"", b"a"]}}}}),
    Old(closed=1, several=[1, 0], text="a", seven=0),
    wrappers_pb2.UInt64Value(value=2**64 - 1),
    struct_pb2.Value(list_value=struct_pb2.ListValue(values=[struct_pb2.Value(number_value=1)])),
]


@pytest.mark.parametrize("message", CERTAIN, ids=range(len(CERTAIN)))
@pytest.mark.parametrize("emit_defaults", [True, False])
def test_a_message_is_printed_and_parsed_without_the_complete_engines(message: Message, emit_defaults: bool) -> None:
    text = printed(message, emit_defaults=emit_defaults)
    assert str(json_format.Parse(text, type(message)())) == str(message)
    assert str(parsed(type(message), text.decode())) == str(message)


PRINTED_SLOWLY = [
    (echo(any={}), "an Any"),
    (Status(code=5, details=[any_pb2.Any()]), "an Any in a list"),
    (echo(value={}), "a Value without a member"),
    (echo(value={"number_value": math.inf}), "a number that JSON lacks"),
    (echo(timestamp={"nanos": -1}), "out of range"),
    (echo(duration={"seconds": 1, "nanos": -1}), "two signs"),
    (field_mask_pb2.FieldMask(paths=["aB"]), "a path that would not read back"),
    (field_mask_pb2.FieldMask(paths=["a_"]), "a path that would not read back"),
    (Old.FromString(b"\x08\x09"), "an unknown value of a closed enum"),
    (Old.FromString(b"\x1a\x01\xff"), "a string of proto2 that is not UTF-8"),
    (Old(pair={"a": 1}), "a group"),
    (Old(needs={}), "a required field is missing"),
]


@pytest.mark.parametrize(("message", "_why"), PRINTED_SLOWLY, ids=[row[1] for row in PRINTED_SLOWLY])
def test_what_is_not_certain_is_printed_by_the_complete_engines(message: Message, _why: str) -> None:
    with pytest.raises(Slow):
        printed(message)


@pytest.mark.parametrize("message", [*CERTAIN, echo(any={}), Old(pair={"a": 1}), Old(needs={})])
def test_a_stream_prints_each_message_as_it_is_printed_alone(message: Message) -> None:
    made, options = type(message), JsonOptions()
    codec = Codec([made.DESCRIPTOR.file])  # type: ignore[list-item]
    pack, print_all = codec.stream_encoder(made, options)
    encode = codec.encoder(made, options)
    texts, failure = print_all([pack(made()), pack(message), pack(made())])
    assert (texts, failure) == ([encode(made()), encode(message), encode(made())], None)


def test_an_extension_is_printed_by_the_complete_engines() -> None:
    message = Old()
    message.Extensions[EXTRA] = 5
    with pytest.raises(Slow):
        printed(message)
    text = Codec([Old.DESCRIPTOR.file]).encoder(Old, JsonOptions(emit_defaults=False))(message)
    assert text == b'{"[old.extra]":5}'


def test_unknown_fields_are_not_printed() -> None:
    message = kitchen.Ingredient.FromString(kitchen.Ingredient(name="a").SerializeToString() + b"\xf8\x07\x05")
    assert printed(message, emit_defaults=False) == b'{"name":"a"}'


PARSED_SLOWLY = [
    ('{"unknown":1}', "the policy decides"),
    ('{"int32Value":1,"int32_value":1}', "a member twice"),
    ('{"labels":{"a":"","a":""}}', "a key twice"),
    ('{"struct":{"a":1,"a":1}}', "a key twice"),
    ('{"choiceInt":1,"choiceString":""}', "two of a oneof"),
    ('{"any":{}}', "an Any"),
    ('{"int32Value":1.0}', "another form"),
    ('{"course":"NOPE"}', "an unknown name"),
    ('{"int32Value":2147483648}', "out of range"),
    ('{"floatValue":3.5e38}', "out of range"),
    ('{"doubleValue":1e400}', "out of range"),
    ('{"strings":[null]}', "null in a list"),
    ("{} {}", "two texts"),
    ("", "no text"),
    ("[]", "no object"),
]


@pytest.mark.parametrize(("body", "_why"), PARSED_SLOWLY, ids=[f"{row[1]}: {row[0]}" for row in PARSED_SLOWLY])
def test_what_is_not_certain_is_parsed_by_the_complete_engines(body: str, _why: str) -> None:
    with pytest.raises(Slow):
        parsed(EchoRequest, body)


def test_a_message_with_a_required_field_is_parsed_by_the_complete_engines() -> None:
    assert parsed(Old, '{"closed":"ONE","seven":0}') == Old(closed=1, seven=0)
    with pytest.raises(Slow):
        parsed(Old, '{"needs":{"must":"a"}}')


@pytest.mark.parametrize(
    ("field", "body", "message"),
    [
        ("ingredient", "{}", echo(ingredient={})),
        ("ingredients", '[{"name":"a"}]', echo(ingredients=[{"name": "a"}])),
        ("labels", '{"a":"b"}', echo(labels={"a": "b"})),
        ("int64_value", '"5"', echo(int64_value=5)),
        ("maybe_int", "0", echo(maybe_int=0)),
        ("timestamp", '"1970-01-01T00:00:01Z"', echo(timestamp={"seconds": 1})),
        ("renamed", '"a"', echo(renamed="a")),
    ],
)
def test_a_body_is_parsed_as_one_field(field: str, body: str, message: Message) -> None:
    assert parsed(EchoRequest, body, field) == message
    with pytest.raises(Slow):
        parsed(EchoRequest, body + ',"stringValue":"a"', field)


LIMITED = [
    # (body, its depth, its elements: brackets and commas outside strings)
    ("{}", 1, 1),
    ('{"strings":["[{,","a,"]}', 2, 3),
    ('{"ingredients":[{"parts":[{},{}]},{}],"int32Value":1}', 5, 10),
    ('{"struct":{"a":[1,[2]],"b":{}},"value":[[]],"labels":{"a":"","b":""}}', 4, 13),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("body", "depth", "elements"), LIMITED, ids=[row[0] for row in LIMITED])
def test_limits_count_alike(body: str, depth: int, elements: int, engine: Engine) -> None:
    def decoder(**limits: int) -> Any:
        return Codec([kitchen.DESCRIPTOR], engine=engine, limits=JsonLimits(**limits)).decoder(EchoRequest)

    assert decoder(depth=depth, elements=elements)(body.encode(), []) == value(body)
    assert parsed(EchoRequest, body, depth=depth, elements=elements) == value(body)
    for limits in ((depth - 1, elements), (depth, elements - 1)):
        with pytest.raises(Slow):
            parsed(EchoRequest, body, depth=limits[0], elements=limits[1])
        assert refused(decoder(depth=limits[0], elements=limits[1]), body.encode())


@pytest.mark.parametrize("levels", range(28, 52))
def test_protobuf_s_nesting_limit_is_an_error_of_the_client(levels: int) -> None:
    body = b'{"list":' + b"[" * levels + b"]" * levels + b"}"
    answers = []
    for engine in ENGINES:
        try:
            answers.append(str(Codec([kitchen.DESCRIPTOR], engine=engine).decoder(EchoRequest)(body, [])))
        except StatusError as error:
            answers.append(str(error))
    assert len(set(answers)) == 1


def test_its_version_is_that_of_the_library() -> None:
    assert version("diptych-json") == version("diptych")


def test_a_table_is_checked_when_it_is_made() -> None:
    from diptych_json import Table

    field = (1, "a", "a", 11, "one", True, 5, -1)
    with pytest.raises(ValueError, match="field 1 refers to entry 5 of 1"):
        Table([("", False, False, [field], [])], [])
    with pytest.raises(ValueError, match="unknown field type 19"):
        Table([("", False, False, [(1, "a", "a", 19, "one", True, 0, -1)], [])], [])
    with pytest.raises(ValueError, match="the table has 0 messages, and none at 0"):
        Table([], []).printer(0, emit_defaults=True, preserve_names=True, enums_as_ints=True)
