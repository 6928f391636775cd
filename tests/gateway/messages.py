"""Hypothesis strategies for whole messages, from their descriptors: every kind of field, valid values only."""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, descriptor, json_format, message_factory, struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from kitchen.v1 import kitchen_service_pb2 as pb

_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_OBJECTS = st.dictionaries(st.text(max_size=5), _JSON, max_size=3)
_PATHS = st.from_regex(r"\A[a-z]{1,4}(_[a-z]{1,3})?(\.[a-z]{1,4})?\Z")
_LONGEST = 315_576_000_000


def _parsed(made: Message, value: Any) -> Message:
    json_format.ParseDict(value, made)
    return made


def _packed(text: str) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(pb.Dish(title=text, price_cents=7))
    return packed


_SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "google.protobuf.Timestamp": st.builds(
        dict, seconds=st.integers(-62_135_596_800, 253_402_300_799), nanos=st.integers(0, 999_999_999)
    ),
    "google.protobuf.Duration": st.integers(-_LONGEST + 1, _LONGEST - 1).flatmap(
        lambda seconds: st.builds(
            dict,
            seconds=st.just(seconds),
            nanos=st.integers(0 if seconds >= 0 else -999_999_999, 999_999_999 if seconds >= 0 else 0),
        )
    )
    | st.sampled_from([{"seconds": _LONGEST}, {"seconds": -_LONGEST}]),
    "google.protobuf.FieldMask": st.builds(dict, paths=st.lists(_PATHS, max_size=3)),
    "google.protobuf.Struct": _OBJECTS.map(lambda value: _parsed(struct_pb2.Struct(), value)),
    "google.protobuf.Value": _JSON.map(lambda value: _parsed(struct_pb2.Value(), value)),
    "google.protobuf.ListValue": st.lists(_JSON, max_size=3).map(lambda value: _parsed(struct_pb2.ListValue(), value)),
    "google.protobuf.Any": st.just(any_pb2.Any()) | st.text(max_size=5).map(_packed),
}

_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_STRING: st.text(max_size=8),
}


def messages(made: descriptor.Descriptor, depth: int = 3) -> st.SearchStrategy[Message]:
    """Returns messages of the type `made`, nested up to `depth` levels; of a oneof, the last one set remains."""
    kind = message_factory.GetMessageClass(made)
    special = _SPECIAL.get(made.full_name)
    if special is not None:
        return special.map(lambda value: kind(**value) if isinstance(value, dict) else value)
    fields = {field.name: _field(field, depth) for field in made.fields if depth > 0 or field.message_type is None}
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: kind(**values))


def _field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    inner: Descriptor | None = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        key, value = inner.fields_by_name["key"], inner.fields_by_name["value"]
        return st.dictionaries(_one(key, depth), _one(value, depth), max_size=2)
    return st.lists(_one(field, depth), max_size=2) if field.is_repeated else _one(field, depth)


def _one(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(field.message_type, depth - 1)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=8)
    return _SCALARS[field.cpp_type]
