"""Messages with every field set, made from descriptors. It knows no contract.

A variant takes another branch of each oneof; `variants` returns enough of them for every branch, one with zeros in all
fields that distinguish them from absence, and an empty one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo

_DEEPEST = 6  # messages may contain each other


def variants(kind: Any) -> list[Message]:
    """Returns different messages of a type, which together set every field that can be set."""
    cls = message_factory.GetMessageClass(kind)
    made = [*branches(kind), _zeros(cls()), cls()]
    return list({message.SerializeToString(deterministic=True): message for message in made}.values())


def branches(kind: Any) -> list[Message]:
    """Returns messages with every field set, one for each branch of the type's largest oneof."""
    made = [message_factory.GetMessageClass(kind)() for _ in range(_most_branches(kind))]
    for variant, message in enumerate(made):
        _fill(message, variant, 0)
    return made


def _fill(message: Any, variant: int, depth: int) -> None:
    kind = message.DESCRIPTOR
    if kind.full_name in _WELL_KNOWN:
        _WELL_KNOWN[kind.full_name](message)
        return
    for field in kind.fields:
        oneof = field.containing_oneof
        if oneof is not None and field is not oneof.fields[min(variant, len(oneof.fields) - 1)]:
            continue
        _set(message, field, variant, depth)


def _set(message: Any, field: Any, variant: int, depth: int) -> None:
    kind, target = field.message_type, getattr(message, field.name)
    if kind is None:
        value = _scalar(field)
        if field.is_repeated:
            target.extend([value, value])
        else:
            setattr(message, field.name, value)
    elif kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"]
        if value.message_type is None:
            target["key ü"] = target[""] = _scalar(value)
        else:
            _fill(target["key ü"], variant, depth + 1)
    elif depth < _DEEPEST:
        for inner in (target.add(), target.add()) if field.is_repeated else (target,):
            inner.SetInParent()
            _fill(inner, variant, depth + 1)


def _zeros(message: Any) -> Message:
    """Sets the fields with presence to what absent fields of other kinds mean."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is None and field.has_presence:
            setattr(message, field.name, field.default_value)
        elif field.message_type is not None and not field.is_repeated:
            getattr(message, field.name).SetInParent()
    return message  # type: ignore[no-any-return]


def _scalar(field: Any) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    return _SCALARS[field.cpp_type](field)


def _most_branches(kind: Any) -> int:
    return max([1, *(len(oneof.fields) for oneof in _oneofs(kind, set()))])


def _oneofs(kind: Any, seen: set[str]) -> list[Any]:
    if kind.full_name in seen or kind.full_name in _WELL_KNOWN:
        return []
    seen.add(kind.full_name)
    inner = [field.message_type for field in kind.fields if field.message_type is not None]
    return [*kind.oneofs, *(oneof for message in inner for oneof in _oneofs(message, seen))]


def _text(field: Any) -> str | bytes:
    return b"\x00\xff bytes" if field.type == field.TYPE_BYTES else f"{field.name} ü€😀/\"\\&?%#+ '"


def _struct(message: Any) -> None:
    message.update({"text": "ü", "number": 1.5, "none": None, "list": [True, {}, []], "object": {"a": {"b": 0}}})


def _body(message: Any) -> None:
    message.content_type, message.data = "application/x-parity", b"\x00\xff body"  # REST has no place for `extensions`


def _any(message: Any) -> None:
    message.Pack(ErrorInfo(reason="FULL", domain="tests", metadata={"a": "b"}))


_SCALARS: dict[int, Callable[[Any], Any]] = {
    1: lambda field: 2**31 - 1,  # CPPTYPE_INT32
    2: lambda field: 2**63 - 1,  # CPPTYPE_INT64
    3: lambda field: 2**32 - 1,  # CPPTYPE_UINT32
    4: lambda field: 2**64 - 1,  # CPPTYPE_UINT64
    5: lambda field: 0.1,  # CPPTYPE_DOUBLE
    6: lambda field: 0.1,  # CPPTYPE_FLOAT
    7: lambda field: True,  # CPPTYPE_BOOL
    9: _text,  # CPPTYPE_STRING, bytes too
}

_WELL_KNOWN: dict[str, Callable[[Any], None]] = {
    "google.protobuf.Timestamp": lambda message: message.FromJsonString("2026-11-30T12:34:56.123456Z"),
    "google.protobuf.Duration": lambda message: message.FromMicroseconds(1_500_001),
    "google.protobuf.FieldMask": lambda message: message.paths.extend(["display_name", "etag"]),
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": lambda message: message.list_value.extend([1, "a", None]),
    "google.protobuf.Any": _any,
    "google.api.HttpBody": _body,
}
