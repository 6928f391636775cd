"""Makes HTTP responses and errors: status, headers, body. Every wire form of an error is written in this module.

It knows no ASGI and no call; it converts messages, metadata and statuses to values.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from .codec import Codec, JsonOptions, Parameters, StreamEncoder, printed_at_once
from .dialects import DIALECTS
from .fields import HTTP_BODY
from .metadata import HTTP_CODE_KEY, Pair, to_headers
from .methods import Method
from .rules import Binding
from .settings import DialectName, Settings
from .status import Code, Status

Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
UNKNOWN_FIELDS = b"x-unknown-fields"
TRAILER_PREFIX = b"grpc-trailer-"
# RFC 9110 section 15.5.2: a 401 must name a scheme, also if no authenticator did.
_CHALLENGE = (b"www-authenticate", b"Bearer")


class Reply(NamedTuple):
    """One HTTP response."""

    status: int
    headers: Headers
    body: bytes


# A named tuple's own `__new__` is a function, whose call takes most of the time.
_new_reply: Callable[[tuple[int, Headers, bytes]], Reply] = partial(tuple.__new__, Reply)


class Replier:
    """Makes the replies of one binding; encoders are chosen at start-up."""

    def __init__(self, method: Method, binding: Binding, codec: Codec, settings: Settings) -> None:
        self.raw = _raw(binding)
        """Returns the HttpBody of a response; None if the binding sends messages."""
        self._encoders = {}
        self._streams: dict[bool, StreamEncoder] = {}
        for ints in (False, True):
            options = JsonOptions(
                emit_defaults=settings.emit_defaults,
                preserve_names=settings.preserve_names,
                enums_as_ints=ints or settings.enums_as_ints,
            )
            self._encoders[ints] = (
                codec.encoder(method.response, options)
                if binding.response_body is None
                else codec.field_encoder(method.response, binding.response_body, options)
            )
            self._streams[ints] = (
                codec.stream_encoder(method.response, options)
                if binding.response_body is None
                else printed_at_once(self._encoders[ints])
            )
        self._plain = self._encoders[False]

    def unary(
        self,
        message: Message,
        parameters: Parameters,
        initial: Sequence[Pair],
        trailing: Sequence[Pair],
        warnings: Sequence[str],
    ) -> Reply:
        """Makes a successful response with its metadata."""
        if self.raw is not None:
            http_body = self.raw(message)
            body, content_type = http_body.data, media_type(http_body.content_type)
        elif parameters.enums_as_ints or parameters.pretty:
            body, content_type = self._encoders[parameters.enums_as_ints](message), JSON
            if parameters.pretty:
                body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        else:
            body, content_type = self._plain(message), JSON
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
        if not (initial or trailing or warnings):
            return _new_reply((200, headers, body))
        status = 200
        if initial or trailing:
            status = http_code(initial, trailing)
            headers += metadata_headers(initial, trailing)
        if warnings:
            headers.append((UNKNOWN_FIELDS, header_list(warnings)))
        if status in (204, 304):
            return Reply(status, [pair for pair in headers if pair[0] not in (b"content-type", b"content-length")], b"")
        return _new_reply((status, headers, body))

    def stream(self, parameters: Parameters) -> StreamEncoder:
        """Returns the encoder of a streamed response."""
        return self._streams[parameters.enums_as_ints]


def _raw(binding: Binding) -> Callable[[Any], Any] | None:
    field = binding.response_body
    if field is None:
        return _itself if binding.method.output_type.full_name == HTTP_BODY else None
    if field.message_type is None or field.is_repeated or field.message_type.full_name != HTTP_BODY:
        return None
    name = field.name
    return lambda message: getattr(message, name)


def _itself(message: Any) -> Any:
    return message


def media_type(text: str) -> bytes:
    """Returns a servicer's content type as a header value; application/octet-stream if it cannot be one."""
    value = text.encode("latin-1", "replace")
    return value if value and not any(byte < 32 or byte == 127 for byte in value) else b"application/octet-stream"


def metadata_headers(initial: Sequence[Pair], trailing: Sequence[Pair]) -> Headers:
    """Converts initial metadata to headers, and trailing metadata to headers with a prefix."""
    return [*to_headers(initial), *to_headers(trailing, TRAILER_PREFIX)] if trailing else to_headers(initial)


def http_code(initial: Sequence[Pair], trailing: Sequence[Pair]) -> int:
    """Returns the status that the servicer set with `x-http-code`; 200 if it set none, or none from 200 to 399."""
    for name, value in (*initial, *trailing) if trailing else initial:
        if name == HTTP_CODE_KEY:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if text.isdigit() and 200 <= int(text) < 400:
                return int(text)
    return 200


def header_list(names: Sequence[str]) -> bytes:
    """Joins field names to a header value; they are text from the client, so they are escaped and truncated."""
    return ", ".join(names)[:4096].encode("ascii", "backslashreplace").replace(b"\r", b"").replace(b"\n", b"")


class ErrorReplier:
    """Writes errors in the dialect of the settings."""

    def __init__(self, codec: Codec, dialect: DialectName) -> None:
        self._encode = codec.encoder(AnyMessage, JsonOptions(emit_defaults=False))
        self._dialect = DIALECTS[dialect]

    def reply(self, status: Status, initial: Sequence[Pair] = (), trailing: Sequence[Pair] = ()) -> Reply:
        """Makes an error response, with the metadata that the servicer set."""
        body = orjson.dumps(self.body(status))
        headers: Headers = [
            (b"content-type", self._dialect.media.encode()),
            (b"content-length", b"%d" % len(body)),
            *((name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in status.headers),
        ]
        challenges = [pair for pair in trailing if pair[0] == "www-authenticate"]
        rest = [pair for pair in trailing if pair[0] != "www-authenticate"]
        headers += [*to_headers([*initial, *challenges]), *to_headers(rest, TRAILER_PREFIX)]
        if status.http_status == 401 and not any(name == b"www-authenticate" for name, _ in headers):
            headers.append(_CHALLENGE)
        retry = _retry_after(status)
        if retry is not None and not any(name == b"retry-after" for name, _ in headers):
            headers.append((b"retry-after", b"%d" % retry))
        return Reply(status.http_status, headers, body)

    def body(self, status: Status) -> dict[str, Any]:
        """Returns the error as JSON values, in the dialect."""
        return self._dialect.body(status, [self._detail(detail) for detail in status.details])

    def element(self, status: Status) -> bytes:
        """Encodes an error in a stream that has begun: always under `error`, to distinguish it from a message."""
        body = self.body(status)
        return orjson.dumps(body if "error" in body else {"error": body})

    def _detail(self, detail: AnyMessage) -> Any:
        try:
            return orjson.loads(self._encode(detail))
        except Exception:
            # A type this process does not know: send its bytes unchanged.
            return {"@type": detail.type_url, "value": _base64(detail.value)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _retry_after(status: Status) -> int | None:
    for detail in status.details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return max(0, math.ceil(info.retry_delay.seconds + info.retry_delay.nanos / 1e9))
    return None


def no_route(path: str) -> Status:
    """Returns a 404: no template matches the path."""
    return Status(code=Code.NOT_FOUND, message=f"no route matches '{path}'")


def wrong_method(verb: str, path: str, allowed: Sequence[str]) -> Status:
    """Returns a 405 with `Allow`."""
    names = ", ".join(allowed)
    return Status(
        code=Code.UNIMPLEMENTED,
        message=f"method {verb} is not allowed for '{path}'; expected one of {names}",
        http=405,
        headers=(("allow", names),),
    )
