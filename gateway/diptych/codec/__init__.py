"""Messages to JSON and back, with errors that name the field.

The door is `Codec`: made once from the files of the registered services, it hands out a decoder or an encoder for a
message class at start-up, and those are what a request calls. `native` and `fallback` stand behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

import orjson
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from ..fields import OPAQUE_MESSAGES
from ..status import Violation, invalid
from . import fallback
from .diagnose import diagnose
from .limits import JsonLimits
from .options import JsonOptions
from .scalars import Reader, json_name, text_reader

try:
    from .native import NativeJson
except ImportError:  # protobuf-py ships no wheel for this platform
    NativeJson = None  # type: ignore[assignment, misc]

__all__ = ["Codec", "Decoder", "Encoder", "JsonLimits", "JsonOptions", "Policy", "Reader", "parse_json", "text_reader"]

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
        every = [*files, error_details_pb2.DESCRIPTOR]
        self._native = NativeJson(every) if native and NativeJson is not None else None

    def decoder(self, made: type[Message]) -> Decoder:
        """Parses a body as `made`, or raises INVALID_ARGUMENT that names each field at fault."""
        parse = self._native.parser(made) if self._native else fallback.parser(made)
        check, second = self._limits.check, self._second_pass(made, parse)
        choices = _choices(made.DESCRIPTOR)

        def decode(body: bytes, warnings: list[str]) -> Message:
            check(body)
            try:
                message = parse(body, False)
            except Exception:  # noqa: BLE001
                return second(body, warnings)
            if choices and sum(name in body for name in choices) > 1:
                return second(body, warnings)  # the native parser lets the last of a oneof win
            return message

        return decode

    def _second_pass(self, made: type[Message], parse: Callable[[bytes, bool], Message]) -> Decoder:
        descriptor, policy = made.DESCRIPTOR, self._policy

        def second(body: bytes, warnings: list[str]) -> Message:
            value = parse_json(body)
            findings = diagnose(descriptor, value)
            refused = [found.violation for found in findings if policy == "strict" or not found.unknown]
            if refused:
                raise invalid(*refused)
            if policy == "warn":
                warnings.extend(found.violation.field for found in findings)
            try:
                return parse(body, True)
            except Exception as error:  # noqa: BLE001
                reason = f"{json_name(value)} does not fit {descriptor.full_name}"
                raise invalid(Violation("", reason)) from error

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
            except (ValueError, LookupError, TypeError):
                return slow(message)  # an Any of a type that was loaded into the pool later

        return encode

    def field_decoder(self, made: type[Message], field: FieldDescriptor) -> Decoder:
        """Parses a body as the one field `field` of `made`, and gives a `made` that has only that field."""
        decode = self.decoder(made)
        opening = b'{"%s":' % field.json_name.encode()

        def decode_field(body: bytes, warnings: list[str]) -> Message:
            parse_json(body)  # alone first: a body must not close the object it is put into
            return decode(opening + body + b"}", warnings)

        return decode_field

    def field_encoder(self, made: type[Message], field: FieldDescriptor, options: JsonOptions) -> Encoder:
        """Prints one field of a `made` as a JSON value of its own; an absent message prints as an empty one."""
        name = field.name
        if field.message_type is not None and not field.is_repeated:
            inner = self.encoder(message_factory.GetMessageClass(field.message_type), options)
            return lambda message: inner(getattr(message, name))
        encode = self.encoder(made, replace(options, emit_defaults=True))
        key = field.name if options.preserve_names else field.json_name

        def encode_field(message: Message) -> bytes:
            only = made()
            if field.is_repeated:
                getattr(only, name).MergeFrom(getattr(message, name))
            else:
                setattr(only, name, getattr(message, name))
            return orjson.dumps(orjson.loads(encode(only))[key])

        return encode_field


def parse_json(body: bytes) -> object:
    """The body as plain JSON values; INVALID_ARGUMENT with line and column where it is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        at = f"line {error.lineno} column {error.colno}"
        raise invalid(Violation("", f"the body is not JSON: {error.msg} at {at}")) from None


def _choices(message: Descriptor) -> frozenset[bytes]:
    """Every quoted member name of every oneof in `message` and below, as it would stand in a body."""
    names: set[bytes] = set()
    seen: set[str] = set()
    todo = [message]
    while todo:
        at = todo.pop()
        if at.full_name in seen or at.full_name in OPAQUE_MESSAGES:
            continue
        seen.add(at.full_name)
        for field in at.fields:
            oneof = field.containing_oneof
            if oneof is not None and len(oneof.fields) > 1:
                names.update(b'"%s"' % name.encode() for name in (field.name, field.json_name))
            if field.message_type is not None:
                todo.append(field.message_type)
    return frozenset(names)
