"""The answer to one call in each protocol that puts messages in envelopes: headers, bodies and trailers as values.

A wire knows headers, envelopes and the place of the status; it knows no handler and sends nothing.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

from google.rpc import status_pb2

from ...call import AnyCall
from ...compression import Coding
from ...framing.envelope import COMPRESSED, HEAD, envelope
from ...metadata import HTTP_CODE_KEY, RETRY_PUSHBACK_KEY, TIMEOUT_HEADER, Pair, timeout, to_headers
from ...reply import Headers, Reply
from ...status import Code, Status
from .coding import COMPRESSIONS, coding_named
from .kinds import Kind
from .text import Base64Decoder, b64encode

__all__ = ["GrpcWire", "WebTextWire", "WebWire", "Wire", "rpc_headers"]


def rpc_headers(pairs: Sequence[Pair], prefix: bytes = b"") -> Headers:
    """Returns metadata as headers of an RPC protocol; the key that sets REST's status has no special meaning there."""
    if not pairs:
        return []
    code = [(prefix + key.encode(), str(value).encode()) for key, value in pairs if key == HTTP_CODE_KEY]
    return [*to_headers(pairs, prefix), *code]


class Wire(ABC):
    """Writes one response in one wire protocol, from its head to its end. `headers` are the request's."""

    __slots__ = ("_headers", "_kind", "coding")

    fault: ClassVar[Code] = Code.INTERNAL
    """The code for a request that violates the protocol."""
    codings: ClassVar[tuple[bytes, ...]] = (b"gzip", b"deflate")
    trails: ClassVar[bool] = False
    """Whether the response has trailers."""
    decoder: ClassVar[type[Base64Decoder] | None] = None
    """Decodes the request's body from base64; None if the body is binary."""

    def __init__(self, kind: Kind, headers: Mapping[bytes, bytes]) -> None:
        self._kind, self._headers = kind, headers
        self.coding: Coding | None = None
        """The compression of the answer's messages; None for none."""

    # By protocol.

    @abstractmethod
    def opening(self, most: float | None) -> tuple[float | None, Coding | None]:
        """Returns the timeout in the request's headers, at most `most`, and the compression of its messages.

        Raises INVALID_ARGUMENT for a malformed timeout, and UNIMPLEMENTED for an unknown compression.
        """

    def coded(self, data: bytes) -> bytes:
        """Returns a piece of the response's body as it is sent."""
        return data

    @abstractmethod
    def _choose(self, call: AnyCall) -> Headers:
        """Chooses `coding` for the answer; returns the headers that name it."""

    def _compresses(self, message: bytes) -> bool:
        """Whether a message is worth compressing."""
        return True

    @abstractmethod
    def end(self, data: bytes, status: Status | None, trailing: Sequence[Pair]) -> tuple[bytes, Headers | None]:
        """Returns the end of the body, after the messages in `data`, and the trailers. `status` is None for OK."""

    # The same for all.

    def head(self, call: AnyCall) -> Headers:
        """Returns the headers of the response."""
        head = [(b"content-type", self._kind.media), *self._choose(call)]
        if initial := call.initial_metadata:
            head += rpc_headers(initial)
        return head

    def unary(self, call: AnyCall, message: bytes) -> tuple[Reply, Headers | None]:
        """Returns the whole response of one message, and its trailers."""
        head = self.head(call)
        if self.coding is None:
            data = HEAD.pack(0, len(message)) + message
        else:
            data = self._packed(message, plain=call.context.uncompressed_next)
        return self._whole(head, data, None, call.trailing_metadata)

    def failure(self, status: Status, call: AnyCall | None, initial: Sequence[Pair]) -> tuple[Reply, Headers | None]:
        """Returns the whole response of a call that failed before its first message, and its trailers.

        `initial` is the initial metadata of a call that was not opened.
        """
        if call is not None:
            initial = call.initial_metadata
        # gRPC's clients read a retry's delay in the trailing metadata (gRFC A6).
        delays = [pair for pair in status.headers if pair[0] == RETRY_PUSHBACK_KEY]
        trailing = [*(() if call is None else call.trailing_metadata), *delays]
        if self.trails and any(key == RETRY_PUSHBACK_KEY for key, _ in trailing):
            # They retry no call that has response headers, so that these would make the delay meaningless.
            trailing, initial = [*initial, *trailing], ()
        extra = [
            (name.encode(), value.encode("latin-1")) for name, value in status.headers if name != RETRY_PUSHBACK_KEY
        ]
        head = [(b"content-type", self._kind.media), *extra, *rpc_headers(initial)]
        return self._whole(head, b"", status, trailing)

    def _whole(
        self, head: Headers, data: bytes, status: Status | None, trailing: Sequence[Pair]
    ) -> tuple[Reply, Headers | None]:
        body, trailers = self.end(data, status, trailing)
        if trailers is None:
            head.append((b"content-length", b"%d" % len(body)))
        return Reply(200, head, body), trailers

    def packed(self, messages: Sequence[bytes], first: int, plain: Collection[int]) -> bytes:
        """Returns messages in envelopes; `first` is the number of the first, `plain` has those not to compress."""
        if self.coding is None:
            head = HEAD.pack  # a local name, since this is half of what a small message costs here
            return b"".join([head(0, len(message)) + message for message in messages])
        return b"".join([self._packed(one, plain=at in plain) for at, one in enumerate(messages, first)])

    def _packed(self, message: bytes, *, plain: bool) -> bytes:
        if self.coding is None or plain or not self._compresses(message):
            return HEAD.pack(0, len(message)) + message
        return envelope(COMPRESSED, self.coding.compress(message))


class _Grpc(Wire):
    """What gRPC and gRPC-Web have in common: their headers, and the fields of the status."""

    __slots__ = ()

    def opening(self, most: float | None) -> tuple[float | None, Coding | None]:
        headers = self._headers
        if TIMEOUT_HEADER in headers:
            most = timeout(headers[TIMEOUT_HEADER], None, most)
        if b"grpc-encoding" not in headers:
            return most, None
        return most, coding_named(headers[b"grpc-encoding"], self.codings, "grpc-accept-encoding")

    def _choose(self, call: AnyCall) -> Headers:
        asked = call.context.compression
        if asked is None or asked not in COMPRESSIONS:
            return []
        coding = COMPRESSIONS[asked]
        accepted = self._headers.get(b"grpc-accept-encoding", b"").replace(b" ", b"").split(b",")
        if coding.name not in accepted:
            return []
        self.coding = coding
        return [(b"grpc-encoding", coding.name)]


class GrpcWire(_Grpc):
    """gRPC over HTTP/2 (PROTOCOL-HTTP2.md): the status is in the trailers."""

    __slots__ = ()

    trails = True

    def end(self, data: bytes, status: Status | None, trailing: Sequence[Pair]) -> tuple[bytes, Headers | None]:
        return data, _OK if status is None and not trailing else _status_fields(status, trailing)


class WebWire(_Grpc):
    """gRPC-Web (PROTOCOL-WEB.md): trailers are the last envelope of the body, since browsers hide HTTP's trailers."""

    __slots__ = ()

    def end(self, data: bytes, status: Status | None, trailing: Sequence[Pair]) -> tuple[bytes, Headers | None]:
        lines = b"".join([b"%b: %b\r\n" % field for field in _status_fields(status, trailing)])
        return self.coded(data + envelope(0x80, lines)), None


class WebTextWire(WebWire):
    """gRPC-Web in base64: each write is encoded and padded separately, so that the client can read it at once."""

    __slots__ = ()

    decoder = Base64Decoder

    def coded(self, data: bytes) -> bytes:
        return b64encode(data)


_OK: Headers = [(b"grpc-status", b"0")]
# "Percent-Byte-Unencoded": space to tilde without the percent sign. `quote` itself keeps letters, digits and "_.-~".
_UNENCODED = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def _status_fields(status: Status | None, trailing: Sequence[Pair]) -> Headers:
    """Returns the status and the trailing metadata as gRPC's trailers."""
    if status is None:
        return [*_OK, *rpc_headers(trailing)] if trailing else _OK
    fields: Headers = [(b"grpc-status", b"%d" % status.number)]
    if status.message:
        fields.append((b"grpc-message", quote(status.message, safe=_UNENCODED).encode()))
    if status.details:
        rich = status_pb2.Status(code=status.number, message=status.message, details=status.details)
        coded = base64.b64encode(rich.SerializeToString()).rstrip(b"=")
        fields.append((b"grpc-status-details-bin", coded))
    fields += [(key.encode(), str(value).encode()) for key, value in trailing if key == RETRY_PUSHBACK_KEY]
    return [*fields, *rpc_headers(trailing)]
