"""The state of each method: its limits, whether it streams, and its JSON codec.

It knows no request. The standard services (health, reflection) have their descriptors in the default pool.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from ...call import Calls
from ...codec import Codec, Decoder, Encoder, JsonOptions, StreamEncoder
from ...deferred import deferred
from ...methods import Handler, Method, MethodTable
from ...settings import NEVER, Settings

__all__ = ["Entry", "JsonCodec", "entries", "unknown"]


class JsonCodec:
    """The JSON codec of a method's messages, under the gateway's settings."""

    __slots__ = ("_coders", "decode", "encode", "method", "stream")
    decode: Decoder
    encode: Encoder
    stream: StreamEncoder

    def __init__(self, method: Method, coders: _Coders) -> None:
        self.method, self._coders = method, coders

    def make(self) -> None:
        """Makes the functions."""
        self.decode, self.encode = self._coders.decoder(self.method.request), self._coders.encoder(self.method.response)
        self.stream = self._coders.stream(self.method.response)


_Deferred = deferred(JsonCodec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One method. `limit` is the largest message in bytes; `json` is None without a descriptor."""

    path: str
    limit: int
    known: bool = True
    json: JsonCodec | None = None
    client_streaming: bool = False
    server_streaming: bool = False
    compress_from: int = NEVER
    """The least bytes of an answer that is compressed for clients that accept it."""
    safe: bool = False
    """Whether its idempotency level is NO_SIDE_EFFECTS, so that it may be called by GET."""

    @property
    def streaming(self) -> bool:
        """Whether either side streams."""
        return self.client_streaming or self.server_streaming


def unknown(path: str, settings: Settings) -> Entry:
    """Returns the entry of a path in no table, which a generic handler may still serve."""
    return Entry(path=path, limit=settings.body_limit(path), known=False, compress_from=settings.compress_from)


def entries(calls: Calls, codec: Codec, methods: MethodTable, settings: Settings) -> dict[str, Entry]:
    """Returns every served method, by `/{package.Service}/{Method}`."""
    own = _Coders(codec, settings)
    found: dict[str, Entry] = {}
    standard: dict[str, tuple[Handler, MethodDescriptor]] = {}
    for path, handler in calls.handlers.items():
        method = methods.get(path)
        if method is not None:
            found[path] = _entry(path, handler, own.json(method), settings)
        elif (described := _described(path)) is not None:
            standard[path] = handler, described
        else:
            found[path] = _entry(path, handler, None, settings)
    # They are called rarely, so they use the slower codec, which needs no preparation for each type.
    others = _Coders(Codec((), policy=settings.unknown_fields, engine="fallback"), settings)
    for path, (handler, described) in standard.items():
        found[path] = _entry(path, handler, others.json(_method(path, handler, described)), settings)
    return found


def _entry(path: str, handler: Handler, json: JsonCodec | None, settings: Settings) -> Entry:
    safe = MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS
    return Entry(
        path=path,
        limit=settings.body_limit(path),
        json=json,
        compress_from=settings.compress_from,
        client_streaming=bool(handler.request_streaming),
        server_streaming=bool(handler.response_streaming),
        safe=json is not None and json.method.descriptor.GetOptions().idempotency_level == safe,
    )


def _described(path: str) -> MethodDescriptor | None:
    _, service, name = path.split("/")
    try:
        found: MethodDescriptor | None = descriptor_pool.Default().FindServiceByName(service).methods_by_name.get(name)
    except KeyError:
        return None
    return found


def _method(path: str, handler: Handler, descriptor: MethodDescriptor) -> Method:
    return Method(
        path=path,
        handler=handler,
        descriptor=descriptor,
        request=message_factory.GetMessageClass(descriptor.input_type),
        response=message_factory.GetMessageClass(descriptor.output_type),
    )


class _Coders:
    """Decoders and encoders of one codec, one for each message type."""

    def __init__(self, codec: Codec, settings: Settings) -> None:
        options = JsonOptions(
            emit_defaults=settings.emit_defaults,
            preserve_names=settings.preserve_names,
            enums_as_ints=settings.enums_as_ints,
        )
        self._codec, self._options = codec, options
        self._decoders: dict[type[Message], Decoder] = {}
        self._encoders: dict[type[Message], Encoder] = {}

    def json(self, method: Method) -> JsonCodec:
        """Returns the JSON codec of a method, made now or, with a deferring codec, by its first request."""
        if self._codec.defers:
            return _Deferred(method, self)
        json = JsonCodec(method, self)
        json.make()
        return json

    def decoder(self, made: type[Message]) -> Decoder:
        """Returns the decoder of a message type."""
        decode = self._decoders[made] = self._decoders.get(made) or self._codec.whole_decoder(made)
        return decode

    def encoder(self, made: type[Message]) -> Encoder:
        """Returns the encoder of a message type."""
        encode = self._encoders[made] = self._encoders.get(made) or self._codec.encoder(made, self._options)
        return encode

    def stream(self, made: type[Message]) -> StreamEncoder:
        """Returns the encoder of a stream of a message type."""
        return self._codec.stream_encoder(made, self._options)
