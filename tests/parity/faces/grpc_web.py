"""gRPC-Web, binary and text, by grpc's PROTOCOL-WEB.md.

It uses none of the gateway's codecs.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from urllib.parse import unquote

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from tests.parity import outcome
from tests.parity.faces import Metadata, OnAnswer
from tests.parity.faces.envelopes import Envelopes, envelope
from tests.parity.faces.http1 import Headers, Http1, Response
from tests.parity.faces.http2 import Http2
from tests.parity.outcome import Outcome, from_base64

_TRAILERS = 0x80
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class GrpcWebFace:
    """gRPC-Web over one version of HTTP."""

    def __init__(self, http: Http1 | Http2, *, text: bool) -> None:
        self.name = f"grpc-web{'-text' if text else ''}-h{http.version}"
        self._http, self._text = http, text
        self._type = f"application/grpc-web{'-text' if text else ''}+proto"

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """The protocol has unary calls and server streams."""
        return not method.client_streaming

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method by POST."""
        headers: Headers = [("content-type", self._type), ("x-grpc-web", "1"), *wire_metadata(metadata)]
        if self._text:
            headers.append(("accept", self._type))
        if seconds is not None:
            headers.append(("grpc-timeout", f"{round(seconds * 1000)}m"))
        framed = b"".join([envelope(0, message.SerializeToString()) async for message in requests])
        body = base64.b64encode(framed) if self._text else framed
        async with self._http.exchange("POST", outcome.path_of(method), headers, body) as response:
            assert response.status == 200, await response.read()
            assert response.header("content-type") == self._type
            return await self._read(method, response, on_answer)

    async def _read(self, method: str, response: Response, on_answer: OnAnswer | None) -> Outcome:
        made = outcome.response_class(method)
        answers: list[Message] = []
        trailers: Headers = []
        pieces = _decoded(response.body) if self._text else response.body
        async for flags, data in Envelopes(pieces):
            assert not trailers, "something came behind the trailers"
            if flags & _TRAILERS:
                trailers = _trailers(data)
                continue
            assert flags == 0
            answers.append(made.FromString(data))
            if on_answer:
                await on_answer(answers[-1])
        headers = response.headers
        if not trailers:  # "Trailers-Only": the headers contain everything
            assert not answers
            headers, trailers = [], headers
        status = dict(trailers)
        rich = status.get("grpc-status-details-bin")
        return Outcome(
            code=_CODES[int(status["grpc-status"])],
            message=unquote(status.get("grpc-message", "")),
            details=outcome.rich_details(from_base64(rich) if rich else None),
            answers=[outcome.printed(answer) for answer in answers],
            headers=outcome.metadata(headers),
            trailers=outcome.metadata(trailers),
        )


def wire_metadata(metadata: Metadata) -> Headers:
    """Returns metadata as headers, binary values in base64 without padding."""
    return [
        (key, base64.b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else value)
        for key, value in metadata
    ]


def _trailers(block: bytes) -> Headers:
    # "trailers ... encoded as HTTP/1 headers without the terminating newline"; names are lower case.
    found = []
    for line in block.decode("latin-1").removesuffix("\r\n").split("\r\n"):
        name, colon, value = line.partition(":")
        assert colon, f"{line!r} is no header"
        assert name == name.lower(), f"{name!r} has to be in lower case"
        found.append((name, value.strip()))
    return found


async def _decoded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Decodes base64 piece by piece: any group of four may be padded, since each frame may be encoded separately."""
    rest = b""
    async for piece in pieces:
        rest += piece
        ready, rest = rest[: len(rest) // 4 * 4], rest[len(rest) // 4 * 4 :]
        yield b"".join(base64.b64decode(ready[at : at + 4], validate=True) for at in range(0, len(ready), 4))
    assert not rest, "the base64 ended within a group of four"
