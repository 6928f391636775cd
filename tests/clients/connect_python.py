"""connectrpc's own client for Python in each of its protocols, as a face of the parity suite.

Its methods are described by its public `MethodInfo`, as in its generated code.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from connectrpc.client import ConnectClient, ConnectClientSync, ResponseMetadata
from connectrpc.codec import Codec
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from connectrpc.request import Headers
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from pyqwest import Client, HTTPTransport, HTTPVersion, SyncClient, SyncHTTPTransport

from tests.parity import outcome
from tests.parity.faces import Metadata, OnAnswer, only
from tests.parity.faces.grpc_web import wire_metadata
from tests.parity.outcome import Outcome

Encoding = Literal["proto", "json"]

_STREAMS = {
    (False, False): StreamType.UNARY,
    (False, True): StreamType.SERVER_STREAM,
    (True, False): StreamType.CLIENT_STREAM,
    (True, True): StreamType.BIDI_STREAM,
}


def _safe(name: str) -> bool:
    return outcome.method_of(name).GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS


@functools.cache
def _info(name: str) -> MethodInfo[Any, Any]:
    method = outcome.method_of(name)
    return MethodInfo(
        name=name,
        service_name=outcome.SERVICE.full_name,
        input=outcome.request_class(name),
        output=outcome.response_class(name),
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS if _safe(name) else IdempotencyLevel.UNKNOWN,
        stream_type=_STREAMS[method.client_streaming, method.server_streaming],
    )


def _codec(encoding: Encoding) -> Codec:
    return google_protobuf_json_codec() if encoding == "json" else google_protobuf_binary_codec()


class ConnectPython:
    """The asynchronous client in one protocol and encoding; gRPC and HTTP/2 need the single port."""

    def __init__(
        self, name: str, port: int, protocol: ProtocolType, *, encoding: Encoding = "proto", h2: bool = False
    ) -> None:
        self.name = name
        self._address = f"http://127.0.0.1:{port}"
        self._protocol, self._encoding, self._h2 = protocol, encoding, h2

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """Every kind of method; full duplex over HTTP/2 only."""
        return self._h2 or not duplex

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method; messages are compressed, which is the client's default."""
        version = HTTPVersion.HTTP2 if self._h2 else HTTPVersion.HTTP1
        answers: list[Message] = []
        async with HTTPTransport(http_version=version) as transport:
            client = ConnectClient(
                self._address, codec=_codec(self._encoding), protocol=self._protocol, http_client=Client(transport)
            )
            given: dict[str, Any] = {
                "method": _info(method),
                "headers": Headers(wire_metadata(metadata)),
                "timeout_ms": None if seconds is None else round(seconds * 1000),
            }
            with ResponseMetadata() as around:
                try:
                    async for answer in _ask(client, method, requests, given):
                        answers.append(answer)
                        if on_answer:
                            await on_answer(answer)
                except ConnectError as error:
                    if isinstance(error.__cause__, asyncio.CancelledError):
                        raise error.__cause__ from None
                    return _outcome(answers, around, error)
            return _outcome(answers, around, None)


async def _ask(
    client: ConnectClient, name: str, requests: AsyncIterator[Message], given: dict[str, Any]
) -> AsyncIterator[Message]:
    method = outcome.method_of(name)
    if not method.client_streaming and not method.server_streaming:
        yield await client.execute_unary(request=await only(requests), **given)
    elif not method.server_streaming:
        yield await client.execute_client_stream(request=requests, **given)
    else:
        stream: Any = (
            client.execute_bidi_stream(request=requests, **given)
            if method.client_streaming
            else client.execute_server_stream(request=await only(requests), **given)
        )
        try:
            async for answer in stream:
                yield answer
        finally:
            await stream.aclose()


def _outcome(answers: list[Message], around: ResponseMetadata, error: ConnectError | None) -> Outcome:
    ended: dict[str, Any] = {}
    if error is not None:
        code = error.code.name
        ended = {
            "code": "CANCELLED" if code == "CANCELED" else code,
            "message": error.message,
            "details": [outcome.detail(one.type_name, one.message_bytes) for one in error.details],
        }
    return Outcome(
        **ended,
        answers=[outcome.printed(answer) for answer in answers],
        headers=outcome.metadata(around.headers.allitems()),
        trailers=outcome.metadata(around.trailers.allitems()),
    )


class ConnectPythonSync:
    """The synchronous client in a thread, for requests known beforehand: it has no full duplex and no cancellation."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._address = f"http://127.0.0.1:{port}"

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """Every kind of method without full duplex."""
        return not duplex

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method with all of its requests."""
        given = {
            "method": _info(method),
            "headers": Headers(wire_metadata(metadata)),
            "timeout_ms": None if seconds is None else round(seconds * 1000),
        }
        return await asyncio.to_thread(self._call, method, [request async for request in requests], given)

    def _call(self, method: str, requests: list[Message], given: dict[str, Any]) -> Outcome:
        answers: list[Message] = []
        with (
            SyncHTTPTransport() as transport,
            ConnectClientSync(
                self._address, codec=google_protobuf_binary_codec(), http_client=SyncClient(transport)
            ) as client,
            ResponseMetadata() as around,
        ):
            try:
                answers.extend(_ask_sync(client, method, requests, given))
            except ConnectError as error:
                return _outcome(answers, around, error)
            return _outcome(answers, around, None)


def _ask_sync(
    client: ConnectClientSync, name: str, requests: list[Message], given: dict[str, Any]
) -> Iterator[Message]:
    method = outcome.method_of(name)
    if method.client_streaming:
        if method.server_streaming:
            yield from client.execute_bidi_stream(request=iter(requests), **given)
        else:
            yield client.execute_client_stream(request=iter(requests), **given)
    elif method.server_streaming:
        yield from client.execute_server_stream(request=requests[0], **given)
    else:
        yield client.execute_unary(request=requests[0], use_get=_safe(name), **given)
