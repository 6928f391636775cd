"""Errors as the Connect protocol writes them: a whole response for unary calls, an object at the end of streams.

It knows no call.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage

from ...codec import Codec, JsonOptions
from ...metadata import Pair
from ...reply import Headers, Reply
from ...status import Code, Status
from .wires import rpc_headers

__all__ = ["TRAILER", "ConnectErrors"]

TRAILER = b"trailer-"
_NAMES = {code: "canceled" if code is Code.CANCELLED else code.name.lower() for code in Code}
# HTTP's own errors. All other codes map to the same HTTP status in Connect's table and in this gateway's for REST.
_HTTP = frozenset((404, 405, 415))


class ConnectErrors:
    """Writes Connect errors; the codec writes the readable form of details."""

    def __init__(self, codec: Codec) -> None:
        self._encode = codec.encoder(AnyMessage, JsonOptions(emit_defaults=False))

    def value(self, status: Status) -> dict[str, Any]:
        """The error as JSON values ("Error JSON" in the protocol)."""
        value: dict[str, Any] = {"code": _NAMES[status.code]}
        if status.message:
            value["message"] = status.message
        if status.details:
            value["details"] = [self._detail(detail) for detail in status.details]
        return value

    def _detail(self, detail: AnyMessage) -> dict[str, Any]:
        written = {"type": detail.type_url.rpartition("/")[2], "value": _base64(detail.value)}
        try:
            debug = orjson.loads(self._encode(detail))
        except Exception:
            return written  # a type that this process does not know: `value` has its bytes
        debug.pop("@type", None)
        return {**written, "debug": debug}

    def reply(self, status: Status, initial: Sequence[Pair] = (), trailing: Sequence[Pair] = ()) -> Reply:
        """An error as the whole response of a unary call."""
        if status.http is not None and status.http not in _HTTP:
            status = replace(status, http=None)
        body = orjson.dumps(self.value(status))
        headers: Headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *((name.lower().encode(), value.encode("latin-1", "replace")) for name, value in status.headers),
            # RFC 9110 section 15.5.2: a 401 carries its challenge in this header, without Connect's prefix.
            *rpc_headers([pair for pair in trailing if pair[0] == "www-authenticate"]),
            *rpc_headers(initial),
            *rpc_headers(trailing, TRAILER),
        ]
        return Reply(status.http_status, headers, body)

    def end(self, status: Status | None, trailing: Sequence[Pair]) -> bytes:
        """The data of a stream's last envelope ("EndStreamResponse")."""
        end: dict[str, Any] = {}
        if status is not None:
            end["error"] = self.value(status)
        metadata: dict[str, list[str]] = {}
        for name, value in rpc_headers(trailing):
            metadata.setdefault(name.decode(), []).append(value.decode("latin-1"))
        if metadata:
            end["metadata"] = metadata
        return orjson.dumps(end)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()
