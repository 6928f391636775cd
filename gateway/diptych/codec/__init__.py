"""Messages to JSON and back, with errors that name the field.

The door is `Codec`: made once from the files of the registered services, it hands out a decoder or an encoder for a
message class at start-up, and those are what a request calls. `native` and `fallback` stand behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

import orjson
from google.protobuf import any_pb2, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import DESCRIPTOR as ERROR_DETAILS

from ..fields import OPAQUE_MESSAGES, SCALAR_MESSAGES, map_entry
from ..status import Violation, invalid
from . import fallback
from .diagnose import diagnose
from .floats import shortened
from .limits import JsonLimits
from .options import DEFAULT, JsonOptions, Parameters
from .reach import choosy, unfit
from .scalars import Reader, json_name, text_reader

if TYPE_CHECKING:
    from .native import NativeJson

__all__ = [
    "DEFAULT",
    "Codec",
    "Decoder",
    "Encoder",
    "JsonLimits",
    "JsonOptions",
    "Parameters",
    "Policy",
    "Reader",
    "parse_json",
    "text_reader",
]

Policy = Literal["strict", "warn", "ignore"]
Decoder = Callable[[bytes, list[str]], Message]
"""From a JSON body to a message; unknown fields that the policy lets pass are appended to the list, by their paths."""
Encoder = Callable[[Message], bytes]


class Codec:
    """Decoders and encoders for the messages of some files and all they import.

    `native` False keeps to json_format, as where protobuf-py's extension is missing.
    """

    def __init__(
        self,
        files: Iterable[FileDescriptor],
        *,
        policy: Policy = "strict",
        limits: JsonLimits | None = None,
        native: bool = True,
    ) -> None:
        self._policy = policy
        self._limits = limits or JsonLimits()
        # Error details go out with every service's errors.
        every = [*files, any_pb2.DESCRIPTOR, ERROR_DETAILS]
        self._native = _native(every) if native else None

    def decoder(self, made: type[Message]) -> Decoder:
        """Parses a body as `made`, or raises INVALID_ARGUMENT that names each field at fault."""
        return self._decoder(made, "")

    def _decoder(self, made: type[Message], path: str) -> Decoder:
        check, second = self._limits.check, self._second_pass(made, path)
        if self._native is None:

            def decode_slowly(body: bytes, warnings: list[str]) -> Message:
                check(body)
                return second(body, warnings, None)

            return decode_slowly
        parse = self._native.parser(made)
        is_unfit, is_choosy = unfit(_descriptor(made)), choosy(_descriptor(made))

        def decode(body: bytes, warnings: list[str]) -> Message:
            check(body)
            if is_unfit(body):
                return second(body, warnings, None)
            try:
                message = parse(body, False)
            except Exception:
                return second(body, warnings, None)
            return second(body, warnings, message) if is_choosy(body) else message

        return decode

    def _second_pass(self, made: type[Message], path: str) -> Callable[[bytes, list[str], Message | None], Message]:
        """Diagnoses a body and makes the message of it, unless the native parser made that already."""
        descriptor, policy, parse = _descriptor(made), self._policy, fallback.parser(made)

        def second(body: bytes, warnings: list[str], message: Message | None) -> Message:
            value = parse_json(body, path)
            found = diagnose(descriptor, value, path)
            refused = [*found.faults, *found.unknown] if policy == "strict" else found.faults
            if refused:
                raise invalid(*refused)
            if policy == "warn":
                warnings.extend(violation.field for violation in found.unknown)
            if message is not None:
                return message
            try:
                return parse(value)
            except Exception as error:
                reason = f"{json_name(value)} does not fit {descriptor.full_name}, or nests deeper than protobuf reads"
                raise invalid(Violation(path, reason)) from error

        return second

    def encoder(self, made: type[Message], options: JsonOptions) -> Encoder:
        """Prints a `made` as compact UTF-8 JSON."""
        slow = fallback.printer(options)
        if self._native is None:
            return slow
        show = self._native.printer(made, options)

        def encode(message: Message) -> bytes:
            try:
                return show(message)
            except Exception:
                return slow(message)  # such as an Any of a type that was loaded into the pool later

        return shortened(_descriptor(made), encode, slow, names=options.preserve_names)

    def field_decoder(self, made: type[Message], field: FieldDescriptor) -> Decoder:
        """Parses a body as the one field `field` of `made`, and gives a `made` that has only that field."""
        name, message_type = field.name, field.message_type
        if message_type is not None and not field.is_repeated and message_type.full_name not in _SPECIAL:
            inner = self._decoder(message_factory.GetMessageClass(message_type), field.json_name)

            def decode_message(body: bytes, warnings: list[str]) -> Message:
                whole = made()
                if body.strip() != b"null":
                    below = getattr(whole, name)
                    below.SetInParent()
                    below.MergeFrom(inner(body, warnings))
                return whole

            return decode_message
        check, decode = self._limits.check, self.decoder(made)
        opening = b'{"%s":' % field.json_name.encode()

        def decode_field(body: bytes, warnings: list[str]) -> Message:
            check(body)
            parse_json(body, field.json_name)  # alone first: a body must not close the object it is put into
            return decode(opening + body + b"}", warnings)

        return decode_field

    def field_encoder(self, made: type[Message], field: FieldDescriptor, options: JsonOptions) -> Encoder:
        """Prints one field of a `made` as a JSON value of its own.

        What is absent prints as null, but for a message with fields of its own, which prints as an empty one.
        """
        name, message_type = field.name, field.message_type
        entry = map_entry(field)
        if entry is not None and entry[1].message_type is not None:
            below = self.encoder(message_factory.GetMessageClass(entry[1].message_type), options)
            return lambda message: (
                b"{%s}"
                % b",".join(orjson.dumps(_key(key)) + b":" + below(one) for key, one in getattr(message, name).items())
            )
        if message_type is not None and entry is None:
            inner = self.encoder(message_factory.GetMessageClass(message_type), options)
            if field.is_repeated:
                return lambda message: b"[%s]" % b",".join(map(inner, getattr(message, name)))
            if message_type.full_name not in _SPECIAL:
                return lambda message: inner(getattr(message, name))
            return lambda message: inner(getattr(message, name)) if message.HasField(name) else b"null"
        # Alone in its message and with no defaults beside it, so that the text around it is known.
        encode = self.encoder(made, replace(options, emit_defaults=False))
        opening = b'{"%s":' % (field.name if options.preserve_names else field.json_name).encode()
        empty = b"{}" if entry is not None else b"[]" if field.is_repeated else _zero(field, options)

        def encode_field(message: Message) -> bytes:
            only = made()
            if field.is_repeated:
                getattr(only, name).MergeFrom(getattr(message, name))
            elif not field.has_presence or message.HasField(name):
                setattr(only, name, getattr(message, name))
            else:
                return b"null"
            text = encode(only)
            return text[len(opening) : -1] if text != b"{}" else empty

        return encode_field


_SPECIAL = SCALAR_MESSAGES | OPAQUE_MESSAGES


def _key(key: object) -> str:
    """A map's key as JSON has it: a string, whatever it is."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _zero(field: FieldDescriptor, options: JsonOptions) -> bytes:
    """The JSON of a scalar's default value; never of one with presence, which is printed even when it is zero."""
    if field.enum_type is not None and not options.enums_as_ints:
        return orjson.dumps(field.enum_type.values_by_number[field.default_value].name)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return b'"0"'
    return b'""' if field.type == FieldDescriptor.TYPE_BYTES else orjson.dumps(field.default_value)


def _native(files: Iterable[FileDescriptor]) -> NativeJson | None:
    """The native codec, where protobuf-py ships a wheel for this platform."""
    try:
        from .native import NativeJson
    except ImportError:
        return None
    return NativeJson(files)


def _descriptor(made: type[Message]) -> Descriptor:
    """Its descriptor, by the one type that the stubs have for it elsewhere."""
    return cast(Descriptor, made.DESCRIPTOR)


def parse_json(body: bytes, path: str = "") -> object:
    """The body as plain JSON values; INVALID_ARGUMENT with line and column where it is not JSON.

    `path` is the field it is the value of.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(Violation(path, _unread(body, error))) from None


def _unread(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        str(body, "utf-8")  # orjson speaks of surrogates there, and names no place
    except UnicodeDecodeError as wrong:
        return f"the body is not UTF-8: no character begins at byte {wrong.start} of it"
    return f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
