"""One value from text: a path's variable, a query's parameter, a form's part. The forms are JSON's."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from google.protobuf import duration_pb2, field_mask_pb2, json_format, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from diptych.codec import Codec, text_reader
from diptych.fields import is_map, is_scalar
from diptych.status import StatusError
from kitchen.v1 import kitchen_service_pb2 as kitchen

ECHO = kitchen.EchoRequest.DESCRIPTOR
SCALARS = [field for field in ECHO.fields if is_scalar(field) and not is_map(field)]


def moment(text: str) -> timestamp_pb2.Timestamp:
    made = timestamp_pb2.Timestamp()
    made.FromJsonString(text)
    return made


READ = [
    # (field, text, value, why)
    ("int32_value", "5", 5, "a number"),
    ("int32_value", "-2147483648", -(2**31), "the least"),
    ("int32_value", "007", 7, "leading zeros"),
    ("int64_value", "9223372036854775807", 2**63 - 1, "the most, exactly"),
    ("uint64_value", "18446744073709551615", 2**64 - 1, "the most, exactly"),
    ("sint32_value", "-1", -1, "however it is encoded"),
    ("fixed64_value", "1", 1, "however it is encoded"),
    ("float_value", "1.5", 1.5, "a decimal"),
    ("float_value", "3.4028235e38", 3.4028234663852886e38, "the largest, rounded up as most languages print it"),
    ("double_value", "1e300", 1e300, "an exponent"),
    ("double_value", ".5", 0.5, "no digit before the point"),
    ("double_value", "+5", 5.0, "a sign"),
    ("double_value", "-Infinity", -math.inf, "named"),
    ("double_value", "Infinity", math.inf, "named"),
    ("bool_value", "true", True, "true"),
    ("bool_value", "false", False, "false"),
    ("string_value", "", "", "an empty string is a string"),
    ("string_value", " a+b%é ", " a+b%é ", "as it stands, decoded already"),
    ("bytes_value", "+/8=", b"\xfb\xff", "base64"),
    ("bytes_value", "-_8", b"\xfb\xff", "base64url, unpadded"),
    ("bytes_value", "", b"", "nothing"),
    ("course", "COURSE_MAIN", 2, "an enum by its name"),
    ("course", "2", 2, "or its number"),
    ("course", "99", 99, "which need not be known: proto3 enums are open"),
    ("course", "-1", -1, "or positive"),
    ("strings", "a,b", "a,b", "one element of a list, never split"),
    ("ints", "5", 5, "one element"),
    ("courses", "COURSE_MAIN", 2, "one element"),
    ("maybe_int", "0", 0, "an optional field"),
    ("timestamp", "2026-01-31T12:00:00.5Z", moment("2026-01-31T12:00:00.5Z"), "RFC 3339"),
    ("timestamp", "2026-01-31T12:00:00+01:00", moment("2026-01-31T11:00:00Z"), "with an offset"),
    ("duration", "1.5s", duration_pb2.Duration(seconds=1, nanos=500_000_000), "seconds"),
    ("duration", "-0.5s", duration_pb2.Duration(nanos=-500_000_000), "negative"),
    ("mask", "a,bC.d", field_mask_pb2.FieldMask(paths=["a", "b_c.d"]), "lowerCamelCase"),
    ("mask", "", field_mask_pb2.FieldMask(), "empty"),
    ("wrapped_string", "", wrappers_pb2.StringValue(), "a wrapper is its value"),
    ("wrapped_int64", "5", wrappers_pb2.Int64Value(value=5), "a wrapper is its value"),
    ("wrapped_bool", "false", wrappers_pb2.BoolValue(), "a wrapper is its value"),
    ("wrapped_bytes", "YQ", wrappers_pb2.BytesValue(value=b"a"), "a wrapper is its value"),
    ("wrapped_double", "2", wrappers_pb2.DoubleValue(value=2), "a wrapper is its value"),
]


@pytest.mark.parametrize(("name", "text", "value", "_why"), READ, ids=[f"{row[0]} {row[1]}: {row[3]}" for row in READ])
def test_reads(name: str, text: str, value: object, _why: str) -> None:
    assert text_reader(ECHO.fields_by_name[name])(text) == value


def test_reads_nan() -> None:
    assert math.isnan(text_reader(ECHO.fields_by_name["double_value"])("NaN"))


REFUSED = {
    "int32_value": [
        "",
        " 1",
        "1 ",
        "+1",
        "1.0",
        "1e2",
        "0x1",
        "1_0",
        "٣",
        "2147483648",
        "-2147483649",
        "9" * 5000,
        "x",
    ],
    "uint32_value": ["-1", "4294967296"],
    "int64_value": ["9223372036854775808", "-9223372036854775809"],
    "uint64_value": ["18446744073709551616", "-1"],
    "float_value": ["", "x", "nan", "inf", "infinity", "1e39", "-3.5e38", "1_0", "0x1p1", " 1", "1,5", "٣"],
    "double_value": ["", "1e400", "-1e400", "NAN", "+NaN", "."],
    "bool_value": ["", "True", "TRUE", "1", "0", "yes", " true"],
    "bytes_value": ["A", "A===", "AQ===", "YWJj=", "+_8=", "A Q=", "é", "=", "AQ\n"],
    "course": ["", "course_main", "MAIN", "2.0", "2147483648", " 2", "9" * 5000],
    "timestamp": [
        "",
        "2026",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-13-01T00:00:00Z",
        "x" * 99,
    ],
    "duration": ["", "1", "s", "1.5", "+1s", "1 s", "1.0000000001s", "315576000001s", "1e3s", "1_0s"],
    "mask": ["a_b", "a,b_c"],
    "wrapped_int64": ["", "x", "9223372036854775808"],
    "wrapped_bool": ["1"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_refuses_without_repeating_the_input(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|range") as caught:
        text_reader(ECHO.fields_by_name[name])(text)
    assert len(str(caught.value)) < 300
    assert len(text) < 20 or text not in str(caught.value)


def test_a_refused_enum_lists_its_names() -> None:
    with pytest.raises(ValueError, match="one of COURSE_UNSPECIFIED, COURSE_STARTER, COURSE_MAIN"):
        text_reader(ECHO.fields_by_name["course"])("SOUP")


DECODE = Codec([kitchen.DESCRIPTOR]).decoder(kitchen.EchoRequest)
TEXTS = (
    st.from_regex(r"\A[+-]?[0-9]{0,20}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,3})?\Z")
    | st.from_regex(r"\A[A-Za-z0-9+/_-]{0,8}={0,3}\Z")
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.from_regex(r"\A-?[0-9]{1,4}(\.[0-9]{1,9})?s\Z")
    | st.sampled_from(["true", "false", "NaN", "Infinity", "-Infinity", "COURSE_MAIN", "2", "a,bC", ""])
    | st.text(max_size=8)
)


def from_json(field: FieldDescriptor, value: object) -> Any:
    """Returns how the JSON codec parses it, as one value; None if it refuses."""
    try:
        message = DECODE(orjson.dumps({field.json_name: [value] if field.is_repeated else value}), [])
    except StatusError:
        return None
    found = getattr(message, field.name)
    return found[0] if field.is_repeated else found


def alike(one: object, other: object) -> bool:
    """Equality in which NaN equals itself, and a float is rounded to its field's precision."""
    if isinstance(one, Message) and isinstance(other, Message):
        return str(one) == str(other)
    return one == other or str(one) == str(other)


def kept(field: FieldDescriptor, value: object) -> Any:
    """The value after a field has held it, which rounds floats."""
    message = kitchen.EchoRequest()
    if field.is_repeated:
        getattr(message, field.name).append(value)
        return getattr(message, field.name)[0]
    if isinstance(value, Message):
        return value
    setattr(message, field.name, value)
    return getattr(message, field.name)


@given(st.sampled_from(SCALARS), TEXTS)
def test_text_is_parsed_as_its_json_form(field: FieldDescriptor, text: str) -> None:
    try:
        value = text_reader(field)(text)
    except ValueError:
        return
    forms: list[object] = [text]
    if field.enum_type is not None and text.lstrip("-").isdigit():
        forms.append(int(text))
    if text in ("true", "false"):
        forms.append(text == "true")
    read = [found for form in forms if (found := from_json(field, form)) is not None]
    assert any(alike(kept(field, value), found) for found in read)


@given(st.data(), st.sampled_from(SCALARS))
def test_the_json_form_of_a_scalar_is_parsed_as_text(data: st.DataObject, field: FieldDescriptor) -> None:
    text = data.draw(TEXTS)
    try:
        value = kept(field, text_reader(field)(text))
    except ValueError:
        return
    message = kitchen.EchoRequest()
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif isinstance(value, Message):
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)
    shown = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)[field.json_name]
    printed = shown[0] if field.is_repeated else shown
    again = str(printed).lower() if isinstance(printed, bool) else str(printed)
    assert alike(kept(field, text_reader(field)(again)), value)
