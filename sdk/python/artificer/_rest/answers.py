"""Answers of REST by the rules of docs/rest.md and docs/errors.md: responses, streams, errors, metadata."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from pydantic import ValidationError

from .._attempt import Metadata, add
from .._method import Method
from .._status import failure
from ..errors import APIError, UnknownError, is_code
from ..types.base import HttpBody, Model
from .requests import is_content

_TRAILER = "grpc-trailer-"
_HINT = "is base_url a gateway's?"
# docs/errors.md; others of 4xx are INVALID_ARGUMENT, others of 5xx UNKNOWN.
_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    413: "RESOURCE_EXHAUSTED",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    431: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def response(method: Method[Any, Any], body: bytes, metadata: Metadata) -> Any:
    """Returns the model of an answer's body. Raises UnknownError for a body of another form."""
    if method.response is type(None):
        return None
    if is_content(method):
        return content(body, metadata)
    return _read(method, body or b"{}", metadata)


def content(piece: bytes, metadata: Metadata) -> HttpBody:
    """Returns bytes with the media type of an answer."""
    return HttpBody(content_type=str(metadata.get("content-type", "")), data=piece)


def message(method: Method[Any, Any], line: bytes, metadata: Metadata) -> Any:
    """Returns the model of a line of a stream. Raises APIError for a line that ends the stream with an error."""
    if line.startswith(b'{"error"'):
        ended = stream_error(line, metadata)
        if ended is not None:
            raise ended
    return _read(method, line, metadata)


def stream_error(line: bytes, metadata: Metadata) -> APIError | None:
    """Returns the exception of a line that ends a stream with an error, None for a message."""
    try:
        found = json.loads(line).get("error")
    except (ValueError, RecursionError):
        return None
    # A message may have a field `error`; the HTTP status and the code's name stand in the gateway's error only.
    if isinstance(found, dict) and {"code", "status"} <= found.keys():
        return _of_json(found, None, metadata)
    return None


def metadata(raw: Iterable[tuple[bytes, bytes]]) -> tuple[Metadata, Metadata]:
    """Returns the initial and the trailing metadata among an answer's headers."""
    initial: Metadata = {}
    trailing: Metadata = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        target = initial
        if name.startswith(_TRAILER):
            name, target = name[len(_TRAILER) :], trailing
        if name.endswith("-bin"):
            _add_binary(target, name, text)
        else:
            add(target, name, text)
    return initial, trailing


def frame_metadata(frame: str) -> Metadata:
    """Returns the metadata in a frame of a WebSocket. Raises UnknownError for a frame of another form."""
    try:
        given: Mapping[str, str | list[str]] = json.loads(frame)["metadata"]
        values = [(name, one) for name, each in given.items() for one in ([each] if isinstance(each, str) else each)]
        return metadata((name.encode(), one.encode("latin-1", "replace")) for name, one in values)[0]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownError(f"a frame of the WebSocket has no metadata: {_HINT}") from error


def error(status: int, body: bytes, metadata: Metadata) -> APIError:
    """Returns the exception of an answer with an HTTP status of 300 or more, from the gateway or a proxy."""
    asked = _retry_after(str(metadata.get("retry-after", "")))
    try:
        found = json.loads(body)
        if isinstance(found, dict):
            found = found["error"] if isinstance(found.get("error"), dict) else found
            return _of_json(found, status, metadata, asked)
    except (ValueError, RecursionError):
        pass
    if status < 400:
        text = f"HTTP {status}: the server redirects to {metadata.get('location', 'nowhere')!r}; set base_url to it"
    else:
        text = f"HTTP {status}{_plain(body, metadata)}"
    return failure(_code(status), text, metadata=metadata, http_status=status, retry_after=asked)


def _of_json(found: Mapping[str, Any], status: int | None, metadata: Metadata, asked: float | None = None) -> APIError:
    """Reads the forms of docs/errors.md: google's, a bare google.rpc.Status, and RFC 9457's."""
    number, name = found.get("code"), found.get("status")
    if isinstance(name, str) and isinstance(number, int):
        status = number if status is None else status
    # Other servers have names of their own here, such as OpenAI's `invalid_api_key`.
    code: int | str = next((str(one) for one in (name, number) if is_code(one)), _code(status or 500))
    if isinstance(number, int) and 0 < number <= 16 and not isinstance(name, str):
        code = number
    texts = (found.get(one) for one in ("message", "detail", "title"))
    text = next((one for one in texts if isinstance(one, str)), f"HTTP {status}")
    details = found.get("details")
    listed = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return failure(code, text, listed, metadata=metadata, http_status=status, retry_after=asked)


def _read(method: Method[Any, Any], body: bytes, metadata: Metadata) -> Any:
    try:
        return cast("type[Model]", method.response).model_validate_json(body)
    except ValidationError as error:
        kind, name = metadata.get("content-type", ""), method.response.__name__
        text = f"the answer is not a {name} in JSON (content-type {kind!r}); {_HINT}"
        raise UnknownError(text, request_id=str(metadata.get("x-request-id", "")), metadata=metadata) from error


def _code(status: int) -> str:
    return _CODES.get(status) or ("INVALID_ARGUMENT" if 400 <= status < 500 else "UNKNOWN")


def _plain(body: bytes, metadata: Metadata) -> str:
    if not str(metadata.get("content-type", "")).startswith("text/plain"):
        return ""
    text = body[:200].decode(errors="replace").strip()
    return f": {text}" if text else ""


def _retry_after(value: str) -> float | None:
    """Returns the seconds of Retry-After (RFC 9110 section 10.2.3): a number, or a date."""
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _add_binary(target: Metadata, name: str, text: str) -> None:
    for part in text.split(","):
        try:
            value = base64.b64decode(part.strip() + "==")
        except (binascii.Error, ValueError):
            continue
        add(target, name, value)
