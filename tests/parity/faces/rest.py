"""REST by the rules in docs/rest.md: bound by the annotation, streams in one of three framings.

It uses none of the gateway's codecs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Literal

from google.api import httpbody_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from tests.parity import outcome
from tests.parity.faces import Metadata, OnAnswer, each
from tests.parity.faces.binding import HTTP_BODY, Bound, bind, rules
from tests.parity.faces.grpc_web import wire_metadata
from tests.parity.faces.http1 import Body, Cut, Headers, Http1, Response
from tests.parity.faces.http2 import Http2
from tests.parity.outcome import Outcome

Framing = Literal["array", "ndjson", "sse"]

_ACCEPT = {"array": "application/json", "ndjson": "application/x-ndjson", "sse": "text/event-stream"}
_TRAILER = "grpc-trailer-"


class RestFace:
    """REST in one framing of streams over one version of HTTP."""

    def __init__(self, http: Http1 | Http2, framing: Framing) -> None:
        self.name = f"rest-{framing}-h{http.version}"
        self._http, self._framing = http, framing

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """Every annotated method; three framings differ only in streams."""
        if self._framing != "ndjson" and not method.server_streaming and not method.client_streaming:
            return False
        # An element of an array ends where the next one begins, so a conversation needs lines.
        return bool(rules(method)) and not (duplex and self._framing == "array")

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method by its annotation."""
        described = outcome.method_of(method)
        first = await anext(requests, None)
        # A stream without a request is bound by an empty one, which is not sent.
        bound = bind(described, first if first is not None else outcome.request_class(method)())
        headers = [
            *wire_metadata(metadata),
            ("accept", _ACCEPT[self._framing] if described.server_streaming else "*/*"),
        ]
        if seconds is not None:
            headers.append(("x-server-timeout", f"{seconds:.3f}"))
        body, content_type = self._body(described, bound, first, requests)
        if content_type:
            headers.append(("content-type", content_type))
        async with self._http.exchange(bound.verb, bound.target, headers, body) as response:
            return await self._read(described, response, on_answer)

    def _body(
        self, method: MethodDescriptor, bound: Bound, first: Message | None, rest: AsyncIterator[Message]
    ) -> tuple[Body, str]:
        if not method.client_streaming:
            return bound.body or b"", bound.content_type if bound.body is not None else ""
        if isinstance(first, httpbody_pb2.HttpBody):
            return _pieces(first, rest), first.content_type
        written = _lines(method, first, rest) if self._framing != "array" else _elements(method, first, rest)
        return written, "application/json" if self._framing == "array" else "application/x-ndjson"

    async def _read(self, method: MethodDescriptor, response: Response, on_answer: OnAnswer | None) -> Outcome:
        headers = outcome.metadata(pair for pair in response.headers if not pair[0].startswith(_TRAILER))
        trailing = [(name[len(_TRAILER) :], value) for name, value in response.headers if name.startswith(_TRAILER)]
        if response.status >= 400:
            error = json.loads(await response.read())["error"]
            assert error["code"] == response.status
            return Outcome(**_error(error), headers=headers, trailers=outcome.metadata(trailing))
        if method.output_type.full_name == HTTP_BODY.full_name:
            return await _bytes(response, headers, trailing)
        if not method.server_streaming:
            answer = _whole(method, json.loads(await response.read()))
            return Outcome(answers=[answer], headers=headers, trailers=outcome.metadata(trailing))
        return await self._stream(method, response, headers, on_answer)

    async def _stream(
        self, method: MethodDescriptor, response: Response, headers: dict[str, Any], on_answer: OnAnswer | None
    ) -> Outcome:
        assert (response.header("content-type") or "").partition(";")[0] == _ACCEPT[self._framing]
        answers: list[Any] = []
        ended: bool | dict[str, Any] = False
        try:
            async for value in _READERS[self._framing](response.body):
                assert not ended, "data followed the end"
                if value is None:
                    ended = True
                elif set(value) == {"error"}:
                    ended = value["error"]
                else:
                    message = _message(method, value)
                    answers.append(outcome.printed(message))
                    if on_answer:
                        await on_answer(message)
        except Cut:
            raise AssertionError("the stream was cut, which only one of bytes is") from None
        assert ended, "a failed stream looks complete"
        error = _error(ended) if isinstance(ended, dict) else {}
        return Outcome(**error, answers=answers, headers=headers, trailers=outcome.metadata(response.trailers))


def _error(error: dict[str, Any]) -> dict[str, Any]:
    return {"code": error["status"], "message": error["message"], "details": error["details"]}


async def _bytes(response: Response, headers: dict[str, Any], trailing: Headers) -> Outcome:
    pieces = []
    try:
        async for piece in response.body:
            pieces.append(piece)
        cut = False
    except Cut:
        cut = True
    body = httpbody_pb2.HttpBody(content_type=response.header("content-type") or "", data=b"".join(pieces))
    return Outcome(
        code="CUT" if cut else "OK",
        answers=[outcome.printed(body)],
        headers=headers,
        trailers=outcome.metadata([*trailing, *response.trailers]),
    )


def _message(method: MethodDescriptor, value: Any) -> Message:
    return json_format.ParseDict(value, outcome.response_class(method.name)())


def _whole(method: MethodDescriptor, value: Any) -> Any:
    """Returns the response; a `response_body` becomes the value of its field again."""
    field = rules(method)[0].response_body
    return outcome.printed(_message(method, {field: value} if field else value))


async def _lines(method: MethodDescriptor, first: Message | None, rest: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    async for message in _all(first, rest):
        yield (bind(method, message).body or b"") + b"\n"


async def _elements(
    method: MethodDescriptor, first: Message | None, rest: AsyncIterator[Message]
) -> AsyncIterator[bytes]:
    opening = b"["
    async for message in _all(first, rest):
        yield opening + (bind(method, message).body or b"")
        opening = b","
    yield b"[]" if opening == b"[" else b"]"


async def _pieces(first: httpbody_pb2.HttpBody, rest: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    async for message in _all(first, rest):
        assert isinstance(message, httpbody_pb2.HttpBody)
        yield message.data


async def _all(first: Message | None, rest: AsyncIterator[Message]) -> AsyncIterator[Message]:
    if first is not None:
        async for message in each(first):
            yield message
        async for message in rest:
            yield message


# The readers yield each element as it arrives, and None at a clean end.


async def _read_array(pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    decoder, rest, opened = json.JSONDecoder(), "", False
    text = b""
    async for piece in pieces:
        text += piece
        rest, text = rest + text.decode(), b""
        while rest := rest.lstrip():
            if not opened:
                assert rest[0] == "["
                opened, rest = True, rest[1:]
            elif rest[0] == "]":
                yield None
                rest = rest[1:]
            else:
                try:
                    value, at = decoder.raw_decode(rest.removeprefix(",").lstrip())
                except json.JSONDecodeError:
                    break
                rest = rest.removeprefix(",").lstrip()[at:]
                yield value


async def _read_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    rest, failed = b"", False
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            value = json.loads(line)
            failed = failed or set(value) == {"error"}
            yield value
    assert not rest, "the last line has no end"
    if not failed:
        yield None


async def _read_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    rest, last = b"", 0
    async for piece in pieces:
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            pairs = [line.partition(":") for line in block.decode().split("\n")]
            fields = {name: value.removeprefix(" ") for name, _, value in pairs if name}
            if fields.get("event") == "end":
                yield None
            elif fields.get("event") == "error":
                yield json.loads(fields["data"])
            elif "data" in fields:
                assert fields["event"] == "message"
                last += 1
                assert fields["id"] == str(last)
                yield json.loads(fields["data"])


_READERS = {"array": _read_array, "ndjson": _read_lines, "sse": _read_events}
