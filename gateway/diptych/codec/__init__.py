"""Converts messages to JSON and back, with errors that name the field.

`Codec` is the room's interface, made once from the files of the registered services. At start-up it returns a decoder
or an encoder for a message class, and requests call those. `wire`, `native` and `fallback` implement it, from the
fastest to the most complete: each gives what it is not certain of to the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

import orjson
from google.protobuf import any_pb2, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import DESCRIPTOR as ERROR_DETAILS

from ..fields import OPAQUE_MESSAGES, SCALAR_MESSAGES, map_entry, written_name
from ..status import Violation, invalid
from . import fallback
from .defaults import default_value, map_key
from .diagnose import diagnose
from .floats import shortened, without_fractions
from .limits import JsonLimits
from .options import DEFAULT, JsonOptions, Parameters, Printed, StreamEncoder, printed_at_once
from .reach import choosy, has_ambiguous_names, holds_any, may_lack_fields, unfit
from .required import check_answer, check_required
from .scalars import Reader, UnknownEnumName, json_name, text_reader
from .text import member_names, parse_json, repeated_member

if TYPE_CHECKING:
    from .native import NativeJson
    from .wire import WireJson

__all__ = [
    "DEFAULT",
    "Codec",
    "Decoder",
    "Encoder",
    "Engine",
    "JsonLimits",
    "JsonOptions",
    "Parameters",
    "Policy",
    "Printed",
    "Reader",
    "StreamEncoder",
    "UnknownEnumName",
    "check_answer",
    "check_required",
    "may_lack_fields",
    "parse_json",
    "printed_at_once",
    "text_reader",
]

logger = logging.getLogger("diptych")

Engine = Literal["wire", "native", "fallback"]
Policy = Literal["strict", "warn", "ignore"]
Decoder = Callable[[bytes, list[str]], Message]
"""Parses a JSON body to a message; appends the paths of unknown fields to the list if the policy accepts them."""
Encoder = Callable[[Message], bytes]


class Codec:
    """Makes decoders and encoders for the messages of some files and their imports.

    `engine` is the fastest that it uses: the Rust extension, protobuf-py or json_format. One that is not installed is
    left out. With `defers`, it is for so many messages that only those that are used may cost anything.
    """

    def __init__(
        self,
        files: Iterable[FileDescriptor],
        *,
        policy: Policy = "strict",
        limits: JsonLimits | None = None,
        engine: Engine = "wire",
        defers: bool = False,
    ) -> None:
        self._policy = policy
        self._limits = limits or JsonLimits()
        self.defers = defers
        """Whether what converts a message should be made when it is first needed, since there are very many."""
        self._wire = _wire() if engine == "wire" else None
        # Every service can send error details.
        details = [any_pb2.DESCRIPTOR, ERROR_DETAILS]
        self._native: NativeJson | None = None
        if defers and self._wire is not None:
            return  # protobuf-py takes seconds for so many messages, and the wire codec gives it little
        if engine != "fallback":
            self._native = _native(details if defers else [*files, *details], one_by_one=defers)

    def decoder(self, made: type[Message]) -> Decoder:
        """Returns a function that parses a body. It raises INVALID_ARGUMENT that names each invalid field.

        The message may lack required fields, which a binding may take from elsewhere.
        """
        slow = self._decoder(made, "")
        return slow if self._wire is None else self._wire.parser(made, self._limits, slow)

    def whole_decoder(self, made: type[Message]) -> Decoder:
        """Returns the same for a body that is all of a request; a missing required field is invalid too."""
        decode = self.decoder(made)
        if not may_lack_fields(_descriptor(made)):
            return decode

        def decode_whole(body: bytes, warnings: list[str]) -> Message:
            message = decode(body, warnings)
            check_required(message)
            return message

        return decode_whole

    def _decoder(self, made: type[Message], path: str) -> Decoder:
        check, second = self._limits.check, self._second_pass(made, path)
        native = self._native_of(made)
        if native is None:

            def decode_slowly(body: bytes, warnings: list[str]) -> Message:
                check(body)
                return second(body, warnings, None)

            return decode_slowly
        parse = native.parser(made)
        is_unfit, is_choosy = unfit(_descriptor(made)), choosy(_descriptor(made))

        def decode(body: bytes, warnings: list[str]) -> Message:
            check(body)
            if is_unfit(body):
                return second(body, warnings, None)
            try:
                message = parse(body, False)
            except Exception:
                return second(body, warnings, None)
            names = member_names(body)  # the parser keeps the last of two
            return second(body, warnings, message) if names is None or is_choosy(names) else message

        return decode

    def _native_of(self, made: type[Message]) -> NativeJson | None:
        """Returns the native codec if it is used for a message: it mistakes names that two fields have."""
        return None if has_ambiguous_names(_descriptor(made)) else self._native

    def _second_pass(self, made: type[Message], path: str) -> Callable[[bytes, list[str], Message | None], Message]:
        """Returns a function that checks a body field by field and parses it, unless `message` is parsed already."""
        descriptor, policy, parse = _descriptor(made), self._policy, fallback.parser(made)
        ignore = policy == "ignore"

        def second(body: bytes, warnings: list[str], message: Message | None) -> Message:
            value = parse_json(body, path)
            if (twice := repeated_member(body, path)) is not None:
                raise invalid(Violation(twice, "the object has this member twice"))
            found = diagnose(descriptor, value, path, ignore=ignore)
            refused = [*found.faults, *found.unknown] if policy == "strict" else found.faults
            if refused:
                raise invalid(*refused)
            if policy == "warn":
                warnings.extend(violation.field for violation in found.unknown)
            if message is not None:
                return message
            try:
                return parse(found.value)
            except Exception as error:
                reason = f"expected a {descriptor.full_name} within protobuf's nesting limit, got {json_name(value)}"
                raise invalid(Violation(path, reason)) from error

        return second

    def encoder(self, made: type[Message], options: JsonOptions) -> Encoder:
        """Returns a function that prints a message as compact UTF-8 JSON."""
        slow = self._slow_encoder(made, options)
        return slow if self._wire is None else self._wire.printer(made, options, slow)

    def stream_encoder(self, made: type[Message], options: JsonOptions) -> StreamEncoder:
        """Returns what prints the messages of a stream as `encoder` does."""
        slow = self._slow_encoder(made, options)
        return printed_at_once(slow) if self._wire is None else self._wire.stream_encoder(made, options, slow)

    def _slow_encoder(self, made: type[Message], options: JsonOptions) -> Encoder:
        slow = fallback.printer(options)
        native = self._native_of(made)
        if native is None or (options.preserve_names and holds_any(_descriptor(made))):
            return slow  # what an Any holds may have ambiguous names
        show = native.printer(made, options)

        def encode(message: Message) -> bytes:
            try:
                return show(message)
            except Exception:
                return slow(message)  # for example an Any whose type was added to the pool later

        return without_fractions(shortened(_descriptor(made), encode, slow, names=options.preserve_names))

    def field_decoder(self, made: type[Message], field: FieldDescriptor) -> Decoder:
        """Returns a function that parses a body as the value of `field`, to a message with only that field set."""
        slow, limits = self._field_decoder(made, field)
        return slow if self._wire is None else self._wire.field_parser(made, field, limits, slow)

    def _field_decoder(self, made: type[Message], field: FieldDescriptor) -> tuple[Decoder, JsonLimits]:
        """Returns the decoder of the complete engines, and the limits it has for the body."""
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

            return decode_message, self._limits
        check, decode = self._limits.check, self._decoder(made, "")
        opening = b'{"%s":' % field.json_name.encode()

        def decode_field(body: bytes, warnings: list[str]) -> Message:
            check(body)
            parse_json(body, field.json_name)  # before it is wrapped: a body must not close the object around it
            return decode(opening + body + b"}", warnings)

        depth, elements = self._limits.depth - 1, self._limits.elements - 1  # the object around the body counts too
        return decode_field, JsonLimits(depth=max(depth, 0), elements=max(elements, 0))

    def field_encoder(self, made: type[Message], field: FieldDescriptor, options: JsonOptions) -> Encoder:
        """Returns a function that prints one field of a message as a JSON value.

        An absent field prints as null, except an ordinary message, which prints as an empty one.
        """
        name, message_type = field.name, field.message_type
        entry = map_entry(field)
        if entry is not None and entry[1].message_type is not None:
            below = self.encoder(message_factory.GetMessageClass(entry[1].message_type), options)
            return lambda message: (
                b"{%s}"
                % b",".join(
                    orjson.dumps(map_key(key)) + b":" + below(one) for key, one in getattr(message, name).items()
                )
            )
        if message_type is not None and entry is None:
            inner = self.encoder(message_factory.GetMessageClass(message_type), options)
            if field.is_repeated:
                return lambda message: b"[%s]" % b",".join(map(inner, getattr(message, name)))
            if message_type.full_name not in _SPECIAL:
                return lambda message: inner(getattr(message, name))
            return lambda message: inner(getattr(message, name)) if message.HasField(name) else b"null"
        # The field is printed alone in its message, without defaults, so that the text around it is known.
        encode = self.encoder(made, replace(options, emit_defaults=False))
        opening = b'{"%s":' % written_name(field, preserve=options.preserve_names).encode()
        empty = b"{}" if entry is not None else b"[]" if field.is_repeated else default_value(field, options)

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


def _wire() -> WireJson | None:
    """Returns the codec in Rust, or None if it is not installed."""
    try:
        from .wire import WireJson
    except ModuleNotFoundError:
        return None
    except ImportError as unusable:
        logger.warning("JSON is converted by a slower codec: %s", unusable)
        return None
    return WireJson()


def _native(files: Iterable[FileDescriptor], *, one_by_one: bool) -> NativeJson | None:
    """Returns the native codec, or None if protobuf-py has no wheel for this platform."""
    try:
        from .native import NativeJson
    except ImportError:
        return None
    return NativeJson(files, one_by_one=one_by_one)


def _descriptor(made: type[Message]) -> Descriptor:
    """Returns a message class's descriptor; the stubs type it differently on the class."""
    return cast(Descriptor, made.DESCRIPTOR)
