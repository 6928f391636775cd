"""The Connect protocol by connectrpc.com/docs/protocol: unary by POST and GET, streams in envelopes.

It uses none of the gateway's codecs.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import quote, urlencode

from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from tests.parity import outcome
from tests.parity.faces import Metadata, OnAnswer, only
from tests.parity.faces.envelopes import Envelopes, envelope
from tests.parity.faces.grpc_web import wire_metadata
from tests.parity.faces.http1 import Headers, Http1, Response
from tests.parity.faces.http2 import Http2
from tests.parity.outcome import Outcome, from_base64

Encoding = Literal["json", "proto"]

_COMPRESSED, _END = 1, 2

# The specification's table "Error Codes".
STATUS = {
    **{"canceled": 499, "unknown": 500, "invalid_argument": 400, "deadline_exceeded": 504, "not_found": 404},
    **{"already_exists": 409, "permission_denied": 403, "resource_exhausted": 429, "failed_precondition": 400},
    **{"aborted": 409, "out_of_range": 400, "unimplemented": 501, "internal": 500, "unavailable": 503},
    **{"data_loss": 500, "unauthenticated": 401},
}


class ConnectFace:
    """Connect in one encoding over one version of HTTP; `get` uses GET for methods that allow it."""

    def __init__(self, http: Http1 | Http2, encoding: Encoding, *, get: bool = False, zipped: bool = False) -> None:
        self.name = f"connect-{encoding}{'-get' if get else ''}{'-gzip' if zipped else ''}-h{http.version}"
        self._http, self._encoding, self._get, self._zipped = http, encoding, get, zipped

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """Every kind by POST; by GET, unary methods that are marked as free of side effects."""
        if self._get:
            safe = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
            return safe and not method.client_streaming and not method.server_streaming
        return not duplex or self._http.version == "2"

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Call a method."""
        headers = [("connect-protocol-version", "1"), *wire_metadata(metadata)]
        if seconds is not None:
            headers.append(("connect-timeout-ms", str(round(seconds * 1000))))
        described = outcome.method_of(method)
        if described.client_streaming or described.server_streaming:
            return await self._stream(method, requests, headers, on_answer)
        return await self._unary(method, self._encode(await only(requests)), headers)

    def _encode(self, message: Message) -> bytes:
        if self._encoding == "json":
            return json.dumps(json_format.MessageToDict(message)).encode()
        return message.SerializeToString()

    def _decode(self, method: str, data: bytes) -> Message:
        made = outcome.response_class(method)
        return json_format.Parse(data, made()) if self._encoding == "json" else made.FromString(data)

    async def _unary(self, method: str, data: bytes, headers: Headers) -> Outcome:
        verb, target, body = "POST", outcome.path_of(method), gzip.compress(data) if self._zipped else data
        if self._get:
            headers = [pair for pair in headers if pair[0] != "connect-protocol-version"]
            verb, target, body = "GET", f"{target}?{self._query(body)}", b""
        else:
            headers = [*headers, ("content-type", f"application/{self._encoding}")]
            if self._zipped:
                headers.append(("content-encoding", "gzip"))
        if self._zipped:
            headers.append(("accept-encoding", "gzip"))
        async with self._http.exchange(verb, target, headers, body) as response:
            content = await response.read()
            if response.header("content-encoding") == "gzip":
                content = gzip.decompress(content)
            return self._unary_outcome(method, response, content)

    def _query(self, data: bytes) -> str:
        fields = {"connect": "v1", "encoding": self._encoding}
        if self._zipped:
            fields["compression"] = "gzip"
        if self._zipped or self._encoding == "proto":
            fields["base64"] = "1"
            fields["message"] = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        else:
            fields["message"] = data.decode()
        return urlencode(fields, quote_via=quote)

    def _unary_outcome(self, method: str, response: Response, content: bytes) -> Outcome:
        prefix = "trailer-"
        headers = outcome.metadata(pair for pair in response.headers if not pair[0].startswith(prefix))
        trailing = [(name[len(prefix) :], value) for name, value in response.headers if name.startswith(prefix)]
        trailers = outcome.metadata(trailing)
        if response.status == 200:
            assert response.header("content-type") == f"application/{self._encoding}"
            answer = outcome.printed(self._decode(method, content))
            return Outcome(answers=[answer], headers=headers, trailers=trailers)
        assert response.header("content-type") == "application/json", content
        error = json.loads(content)
        assert STATUS[error["code"]] == response.status
        return Outcome(**_error(error), headers=headers, trailers=trailers)

    async def _stream(
        self, method: str, requests: AsyncIterator[Message], headers: Headers, on_answer: OnAnswer | None
    ) -> Outcome:
        kind = f"application/connect+{self._encoding}"
        headers = [*headers, ("content-type", kind)]
        if self._zipped:
            headers += [("connect-content-encoding", "gzip"), ("connect-accept-encoding", "gzip")]
        async with self._http.exchange("POST", outcome.path_of(method), headers, self._write(requests)) as response:
            assert response.status == 200, await response.read()
            assert response.header("content-type") == kind
            answers: list[Message] = []
            end: dict[str, Any] | None = None
            async for flags, data in Envelopes(response.body):
                assert end is None, "something came behind the end of the stream"
                plain = gzip.decompress(data) if flags & _COMPRESSED else data
                if flags & _END:
                    end = json.loads(plain)
                    continue
                answers.append(self._decode(method, plain))
                if on_answer:
                    await on_answer(answers[-1])
            assert end is not None, "the stream has no end"
            trailing = [(key, value) for key, values in end.get("metadata", {}).items() for value in values]
            return Outcome(
                **_error(end.get("error")),
                answers=[outcome.printed(answer) for answer in answers],
                headers=outcome.metadata(response.headers),
                trailers=outcome.metadata(trailing),
            )

    async def _write(self, requests: AsyncIterator[Message]) -> AsyncIterator[bytes]:
        async for request in requests:
            data = self._encode(request)
            yield envelope(_COMPRESSED, gzip.compress(data)) if self._zipped else envelope(0, data)


def _error(error: dict[str, Any] | None) -> dict[str, Any]:
    if error is None:
        return {}
    assert error["code"] in STATUS
    return {
        "code": "CANCELLED" if error["code"] == "canceled" else error["code"].upper(),
        "message": error.get("message", ""),
        "details": [outcome.detail(one["type"], from_base64(one["value"])) for one in error.get("details", ())],
    }
