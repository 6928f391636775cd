"""The slow second pass over a body: finds the invalid fields by path, and says why.

It runs if the native codec refused a body or is too lenient for it, and makes no message. It defines valid JSON:
a body that it accepts follows the proto3 JSON mapping. It changes the parsed body in place: floats are rounded to their
range, and unknown names of enums are removed if they are to be ignored.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import (
    OPAQUE_MESSAGES,
    SCALAR_MESSAGES,
    by_any_name,
    did_you_mean,
    extension,
    is_scalar,
    map_entry,
)
from ..status import Violation
from .scalars import Reader, UnknownEnumName, json_name, json_reader, message_json_reader, text_reader

# A body of a million invalid values must not produce a response of the same size.
MAX_FAULTS = 20
# Paths are the client's text, so errors truncate them.
_LONGEST_PATH = 200
_ANY = "google.protobuf.Any"
_NULL_TYPES = frozenset({"google.protobuf.Value", "google.protobuf.NullValue"})

_reader = lru_cache(maxsize=4096)(json_reader)
_message_reader = lru_cache(maxsize=1024)(message_json_reader)
_key_reader = lru_cache(maxsize=1024)(text_reader)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`faults` are invalid under every policy; `unknown` are unknown fields. Each has at most `MAX_FAULTS`.

    `value` is the body, as it is to be parsed.
    """

    faults: list[Violation]
    unknown: list[Violation]
    value: object


class _Enough(Exception):
    """`MAX_FAULTS` were found."""


def diagnose(message: Descriptor, value: object, path: str = "", *, ignore: bool = False) -> Diagnosis:
    """Returns the faults of a parsed body as a `message`; `path` is the body's own path.

    With `ignore`, an unknown name of an enum is no fault: the field is left unset, the element or the entry is dropped.
    """
    checker, holder = _Checker(ignore=ignore), [value]
    with suppress(_Enough):
        checker.message(message, holder, 0, path)
    return Diagnosis(checker.faults, checker.unknown, holder[0])


class _Checker:
    def __init__(self, *, ignore: bool) -> None:
        self._ignore = ignore
        self.faults: list[Violation] = []
        self.unknown: list[Violation] = []

    def fault(self, path: str, reason: str) -> None:
        self.faults.append(Violation(_short(path), reason))
        if len(self.faults) >= MAX_FAULTS:
            raise _Enough

    def message(self, message: Descriptor, holder: Any, key: str | int, path: str) -> None:
        """Checks `holder[key]` as a message."""
        name, value = message.full_name, holder[key]
        if name in OPAQUE_MESSAGES:
            self.opaque(name, value, path)
        elif name in SCALAR_MESSAGES:
            self.scalar(_message_reader(message), holder, key, path)
        elif isinstance(value, dict):
            self.members(message, value, path)
        else:
            self.fault(path, f"expected an object, got {json_name(value)}")

    def members(self, message: Descriptor, value: dict[str, Any], path: str) -> None:
        names = by_any_name(message)
        called: dict[int, str] = {}
        set_by: dict[str, str] = {}
        for key, inner in [*value.items()]:
            at = f"{path}.{key}" if path else key
            field = names.get(key) or extension(message, key)
            if field is None:
                if len(self.unknown) < MAX_FAULTS:
                    reason = f"unknown field of {message.full_name}{did_you_mean(message, key)}"
                    self.unknown.append(Violation(_short(at), reason))
                continue
            if called.setdefault(field.number, key) != key:
                self.fault(at, f"the field is set twice, as {called[field.number]!r} and as {key!r}")
            if inner is None and (field.is_repeated or not _takes_null(field)):
                continue  # null means absent
            oneof = field.containing_oneof
            if oneof is not None:
                other = set_by.setdefault(oneof.name, key)
                if names[other] is not field:
                    self.fault(at, f"only one of {other!r} and {key!r} may be set (oneof {oneof.name!r})")
            entry = map_entry(field) if field.is_repeated else None
            if entry is not None:
                self.map(*entry, inner, at)
            elif field.is_repeated:
                self.list(field, inner, at)
            elif not self.one(field, value, key, at):
                del value[key]

    def list(self, field: FieldDescriptor, value: object, path: str) -> None:
        if isinstance(value, list):
            unknown = {at for at in range(len(value)) if not self.one(field, value, at, f"{path}[{at}]")}
            if unknown:
                value[:] = [one for at, one in enumerate(value) if at not in unknown]
        else:
            self.fault(path, f"expected an array, got {json_name(value)}")

    def map(self, key_field: FieldDescriptor, inner: FieldDescriptor, value: object, path: str) -> None:
        if not isinstance(value, dict):
            self.fault(path, f"expected an object, got {json_name(value)}")
            return
        # A boolean map key is a JSON string, unlike a boolean value.
        read = _reader(key_field) if key_field.cpp_type != FieldDescriptor.CPPTYPE_BOOL else _key_reader(key_field)
        for key in [*value]:
            at = f"{path}[{key!r}]"
            try:
                read(key)
            except ValueError as error:
                self.fault(at, f"invalid key: {error}")
            if not self.one(inner, value, key, at):
                del value[key]

    def one(self, field: FieldDescriptor, holder: Any, key: str | int, path: str) -> bool:
        """Checks one value of a field, `holder[key]`. Returns False if it is to be removed."""
        value = holder[key]
        if value is None:
            if not _takes_null(field):
                self.fault(path, "null is not allowed as an element")
            elif field.enum_type is not None:
                holder[key] = 0  # json_format takes no null in a list or a map
        elif field.message_type is not None and not is_scalar(field):
            self.message(field.message_type, holder, key, path)
        elif self._ignore and field.enum_type is not None and _is_unknown(_reader(field), value):
            return False
        else:
            self.scalar(_reader(field), holder, key, path)
        return True

    def scalar(self, read: Reader, holder: Any, key: str | int, path: str) -> None:
        try:
            found = read(holder[key])
        except ValueError as error:
            self.fault(path, str(error))
            return
        # Most languages print the largest float rounded up, which json_format refuses as out of range.
        if isinstance(found, float) and isfinite(found):
            holder[key] = found

    def opaque(self, name: str, value: object, path: str) -> None:
        if name == _ANY:
            self.any(value, path)
        elif name == "google.protobuf.Struct" and not isinstance(value, dict):
            self.fault(path, f"expected an object, got {json_name(value)}")
        elif name == "google.protobuf.ListValue" and not isinstance(value, list):
            self.fault(path, f"expected an array, got {json_name(value)}")

    def any(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            self.fault(path, f"expected an object, got {json_name(value)}")
            return
        if not value:
            return  # an empty Any
        at = f"{path}.@type" if path else "@type"
        url = value.get("@type")
        if not isinstance(url, str) or "/" not in url:
            self.fault(at, "expected a type URL such as type.googleapis.com/google.rpc.RetryInfo")
            return
        try:
            inner = descriptor_pool.Default().FindMessageTypeByName(url.rpartition("/")[2])
        except KeyError:
            self.fault(at, f"unknown message type {_short(url)!r}")
            return
        rest = {key: one for key, one in value.items() if key != "@type"}
        if inner.full_name not in SCALAR_MESSAGES | OPAQUE_MESSAGES:
            self.members(inner, rest, path)
            value.clear()
            value.update({"@type": url, **rest})
            return
        # any.proto: a type with a special JSON mapping is in a member "value".
        for key in rest.keys() - {"value"}:
            self.fault(
                f"{path}.{key}" if path else key,
                f'unexpected member; {inner.full_name} allows only "@type" and "value"',
            )
        at = f"{path}.value" if path else "value"
        if "value" in rest:
            self.message(inner, value, "value", at)
        else:
            self.fault(at, f"missing value of type {inner.full_name}")


def _is_unknown(read: Reader, value: object) -> bool:
    try:
        read(value)
    except UnknownEnumName:
        return True
    except ValueError:
        pass
    return False


def _takes_null(field: FieldDescriptor) -> bool:
    kind = field.message_type or field.enum_type
    return kind is not None and kind.full_name in _NULL_TYPES


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_PATH else text[:_LONGEST_PATH] + "…"
