"""One call over a WebSocket: metadata, messages and the end as frames.

It knows no route and no life cycle: the session reads and writes through it. The close code carries the status: 1000
for OK, else 4000 plus the number of the code.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from google.protobuf.message import Message

from ...bind import ContentType
from ...call import AnyCall, ClientGone, Pack, Source
from ...codec import Printed, printed_at_once
from ...exchange import BodyTimeouts, origin_of
from ...metadata import (
    SERVER_TIMEOUT_HEADER,
    TIMEOUT_HEADER,
    HeaderPolicy,
    Metadata,
    Pair,
    from_headers,
    timeout,
    to_headers,
)
from ...methods import Method
from ...origin import INSECURE
from ...reply import ErrorReplier
from ...status import Code, Status, Violation, error, invalid
from ..session import STOPPING
from .connection import GOING_AWAY, NORMAL, TOO_BIG, Closing, Frames, Socket
from .endpoint import SocketEndpoint
from .handshake import MOST_METADATA_BYTES, Handshake, RawPairs, metadata_frame
from .messages import Requests, binding_of, grouped

CLOSE_BASE = 4000
"""Added to a gRPC code's number to make a close code; 4000 to 4999 are for private use (RFC 6455 section 7.4.2)."""

# In seconds: how long a client may take to send the metadata frame it announced, and how long a stop waits for a client
# to read the status of its call.
_METADATA_SECONDS = 10.0
_LAST_SECONDS = 0.5
_NO_TYPE = ContentType("", "")
_CODE_OF_CLOSE = {TOO_BIG: Code.RESOURCE_EXHAUSTED}


class SocketCall:
    """The call of one handshake, which the first write completes.

    Raises INVALID_ARGUMENT for a malformed query.
    """

    idle: float | None = None

    def __init__(
        self,
        socket: Socket,
        endpoint: SocketEndpoint,
        values: tuple[str, ...],
        handshake: Handshake,
        policy: HeaderPolicy,
        errors: ErrorReplier,
        timeouts: BodyTimeouts,
    ) -> None:
        self._timeouts = timeouts
        self._socket, self._endpoint, self._values, self._handshake = socket, endpoint, values, handshake
        self._policy, self._errors = policy, errors
        parameters = endpoint.binder.parameters(handshake.query)
        self._encoder = (
            printed_at_once(endpoint.method.response.SerializeToString)
            if handshake.proto
            else endpoint.replier.stream(parameters)
        )
        self.origin = origin_of(socket.scope, "websocket")
        if handshake.anonymous:
            self.origin.auth = INSECURE  # the browser presents its certificate for any page (see `handshake.trusted`)
        self.method: Method = endpoint.method
        self.path = endpoint.method.path
        self.begun = False
        self._call: AnyCall | None = None
        self._frames: Frames | None = None

    @property
    def http_status(self) -> int:
        return self._socket.refused

    @property
    def fault(self) -> Status | None:
        fault = None if self._frames is None else self._frames.fault
        if isinstance(fault, Closing):
            return Status(code=_CODE_OF_CLOSE.get(fault.code, Code.INVALID_ARGUMENT), message=fault.reason)
        return None if fault is None else fault.status

    # The request.

    async def opening(self, most: float | None) -> tuple[Metadata, float | None]:
        metadata = self._handshake.metadata
        if self._handshake.in_frames:
            # The caller is not authenticated yet, so this frame has the limits of a request's head.
            self._socket.limit(MOST_METADATA_BYTES)
            await self._accept()
            metadata = [*metadata, *await _first_frame(self._socket)]
        named = dict(metadata)
        seconds = timeout(named.get(TIMEOUT_HEADER), named.get(SERVER_TIMEOUT_HEADER), most)
        return from_headers(metadata, self._policy), seconds

    async def source(self, call: AnyCall) -> Source | None:
        self._call, endpoint, handshake = call, self._endpoint, self._handshake
        if call.needs_request:
            # Accepted only now, so that an error of an interceptor becomes the HTTP response to the handshake.
            await self._accept()
        frames = self._frames = Frames(
            self._socket,
            proto=handshake.proto,
            limit=endpoint.limit,
            most=endpoint.most,
            timeouts=self._timeouts,
            lease=call.lease,
        )
        bind = binding_of(endpoint.method, endpoint.binder, self._values, handshake)
        self._requests = Requests(frames, bind, self._accept, call.record)
        return self._requests if endpoint.method.client_streaming else None

    async def read(self, call: AnyCall) -> Message:
        if self._endpoint.most == 0:
            return self._endpoint.binder.bind(self._values, self._handshake.query, b"", _NO_TYPE, []).request
        try:
            return await self._requests.__anext__()
        except StopAsyncIteration:
            raise invalid(Violation("", "expected one message, got none")) from None

    def empty(self) -> Message:
        return self.method.request()

    def gone(self) -> Awaitable[None]:
        if self._frames is None:
            raise RuntimeError("the call is not open")
        return self._frames.gone()

    def close(self) -> None:
        if self._frames is not None:
            self._frames.close()

    # The answer.

    async def _accept(self) -> None:
        if not self._socket.accepted:
            # Clients that receive metadata in frames get the call's own there.
            await self._socket.accept(self._handshake.subprotocol, to_headers(self.origin.initial))

    async def unary(self, call: AnyCall, response: Message) -> None:
        pack, print_all = self._encoder
        texts, failure = print_all([pack(response)])
        if failure is not None:
            raise failure
        await self.begin()
        await self._send(call, texts)
        await self.end()

    def streamed(self, call: AnyCall) -> SocketCall:
        return self

    @property
    def pack(self) -> Pack:
        return self._encoder.pack

    @property
    def print_all(self) -> Callable[[list[bytes]], Printed]:
        return self._encoder.print_all

    async def begin(self) -> bool:
        if not self.begun:
            self.begun = True
            await self._accept()
            if self._handshake.in_frames:
                await self._tell("metadata", () if self._call is None else self._call.initial_metadata)
        return True

    async def write(self, messages: list[bytes], plain: set[int]) -> None:
        if self._call is not None:
            await self._send(self._call, messages)

    async def _send(self, call: AnyCall, messages: list[bytes]) -> None:
        call.record.bytes_out += sum(map(len, messages))
        await self._socket.send_all(messages, text=not self._handshake.proto)

    async def end(self) -> None:
        await self._trailers()
        await self._socket.close(NORMAL)

    async def fail(self, status: Status, call: AnyCall | None) -> None:
        # The client may have left, and one that does not read must not hold up a stop.
        with contextlib.suppress(ClientGone, TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS if status is STOPPING else None):
                await self._fail(status, call)

    async def _fail(self, status: Status, call: AnyCall | None) -> None:
        socket = self._socket
        fault = None if self._frames is None else self._frames.fault
        if isinstance(fault, Closing):
            await self._accept()
            await socket.close(*fault)
            return
        if not socket.accepted:
            metadata: Any = (self.origin.initial,) if call is None else (call.initial_metadata, call.trailing_metadata)
            await socket.refuse(self._errors.reply(status, *metadata))
            return
        await self.begin()
        await socket.text(self._errors.element(status))
        await self._trailers()
        code = GOING_AWAY if status is STOPPING else CLOSE_BASE + status.number
        await socket.close(code, f"{status.code.name}: {status.message}")

    async def _trailers(self) -> None:
        if self._handshake.in_frames:
            await self._tell("trailers", () if self._call is None else self._call.trailing_metadata)

    async def _tell(self, name: str, pairs: Sequence[Pair]) -> None:
        await self._socket.text(orjson.dumps({name: grouped(pairs)}))


async def _first_frame(socket: Socket) -> RawPairs:
    """Returns the metadata in the client's first frame."""
    try:
        async with asyncio.timeout(_METADATA_SECONDS):
            message = await socket.receive()
    except TimeoutError:
        late = f"the metadata frame did not arrive within {_METADATA_SECONDS:g} seconds"
        raise error(Code.DEADLINE_EXCEEDED, late) from None
    if message["type"] == "websocket.disconnect":
        raise ClientGone
    return metadata_frame(message.get("text") or "")
