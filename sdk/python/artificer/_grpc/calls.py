"""gRPC as values: the options of a channel, metadata, and the exceptions of failed calls."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import any_pb2, descriptor_pool, json_format
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from .._attempt import Metadata, add, pairs
from .._method import Method
from .._status import failure
from ..errors import APIConnectionError, APIError, UnknownError
from ..grpc import ChannelOptions, Credentials, connection_problem
from ..types.base import Model
from .messages import message_type, reader, to_message

if TYPE_CHECKING:
    from .._options import ClientOptions

_DETAILS = "grpc-status-details-bin"
_KNOWN = error_details_pb2.DESCRIPTOR.package  # imported, so that details of these types are found
# What core says of a call that no server has received (src/core/load_balancing, src/core/resolver).
_UNSENT = (
    "failed to connect",
    "Failed to connect",
    "connections to all backends failing",
    "DNS resolution failed",
    "errors resolving",
    "empty address list",
)
# What core says of a connection that broke during a call; a server's own UNAVAILABLE has other words.
_BROKEN = (
    "Socket closed",
    "Connection reset by peer",
    "Broken pipe",
    "Connection timed out",
    "recvmsg:",
    "sendmsg:",
    "GOAWAY received",
    "ping timeout",
    "keepalive watchdog timeout",
    "Endpoint closing",
    "Stream removed",
)
# https://github.com/grpc/grpc/issues/36066: grpc.aio loses the status of a call that ends while a request is written.
_LOST_STATUS = "Internal error from Core"
_NOTHING = object()  # for google.protobuf.Empty, since None means to gRPC that a response cannot be read


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A response that cannot be read: grpc.aio takes an exception of what reads it for the response None."""

    name: str
    error: Exception


def channel_options(options: ClientOptions) -> ChannelOptions:
    """Returns the options of a channel that neither retries nor sets deadlines, since the calls do."""
    credentials = Credentials(
        api_key=options.api_key,
        token=options.token,
        ca=options.ca,
        cert=options.cert,
        key=options.key,
        allow_insecure=options.allow_insecure,
    )
    # A call that is repeated, or a stream that resumes, must not fail for the backoff after the failure before it.
    arguments: list[tuple[str, Any]] = [("grpc.initial_reconnect_backoff_ms", 200)]
    if options.proxy:
        arguments += [("grpc.http_proxy", options.proxy), ("grpc.enable_http_proxy", 1)]
    return ChannelOptions(
        credentials=credentials,
        metadata=pairs(options.headers),
        timeout=None,
        retry=None,
        max_reconnect_seconds=2.0,
        grpc_options=arguments,
    )


def reading(method: Method[Any, Any]) -> Callable[[bytes], Any]:
    """Returns what reads a response: the model, or None for google.protobuf.Empty."""
    if method.response is type(None):
        return lambda _: _NOTHING
    model: type[Model] = method.response
    parse, convert = message_type(model).FromString, reader(model)

    def read(data: bytes) -> Any:
        try:
            return convert(parse(data))
        except (ValueError, TypeError, OverflowError, DecodeError) as error:
            return _Unreadable(model.__name__, error)

    return read


def value(response: Any) -> Any:
    """Returns a response as the caller sees it. Raises UnknownError for bytes that are no such message."""
    if isinstance(response, _Unreadable):
        text = f"the answer is not a {response.name} of protobuf; is target a gateway's?"
        raise UnknownError(text) from response.error
    return None if response is _NOTHING else response


def written(model: Model) -> bytes:
    """Returns the bytes of a request."""
    return to_message(model).SerializeToString()


def metadata(pairs: Iterable[tuple[str, Any]] | None) -> Metadata:
    """Returns metadata by name."""
    given = tuple(pairs or ())
    found: Metadata = dict(given)
    if len(found) < len(given):  # a name has several values
        found = {}
        for name, value in given:
            add(found, name, value)
    return found


def error(call: Any, initial: Any, trailing: Any) -> APIError:
    """Returns the exception of a call that has ended, whose code and details `call` has."""
    code, message, ended = call.code().name, call.details() or "", metadata(trailing)
    known = {**metadata(initial), **ended}
    rich = ended.get(_DETAILS)
    known.pop(_DETAILS, None)
    if code == "UNAVAILABLE" and not ended and any(sign in message for sign in (*_UNSENT, *_BROKEN)):
        return _connection_error(message, known)
    if message == _LOST_STATUS:
        lost = "the server ended the call while a request was being sent, and gRPC lost the status"
        return UnknownError(lost, request_id=str(known.get("x-request-id", "")), metadata=known)
    details = _details(rich) if isinstance(rich, bytes) else []
    return failure(code, message, details, metadata=known)


def _connection_error(message: str, known: Metadata) -> APIConnectionError:
    unsent = any(sign in message for sign in _UNSENT)
    problem = connection_problem(message)
    if problem is not None:
        text = f"no connection to the server: {problem}"
    elif unsent:
        text = f"the server cannot be reached: {message}"
    else:
        text = f"the connection broke: {message}"
    request_id = str(known.get("x-request-id", ""))
    return APIConnectionError(text, sent=not unsent, request_id=request_id, metadata=known)


def _details(serialized: bytes) -> list[dict[str, Any]]:
    try:
        return [_detail(one) for one in status_pb2.Status.FromString(serialized).details]
    except DecodeError:
        return []


def _detail(packed: any_pb2.Any) -> dict[str, Any]:
    """Returns the JSON of a detail; of a type that this program does not know, its bytes in base64 as `value`."""
    try:
        descriptor_pool.Default().FindMessageTypeByName(packed.TypeName())
        return json_format.MessageToDict(packed)
    except (KeyError, TypeError, DecodeError, json_format.SerializeToJsonError):
        return {"@type": packed.type_url, "value": base64.b64encode(packed.value).decode()}
