"""One call's side of a WebSocket: messages, metadata and the end as frames, and requests out of a client's frames.

It knows no route. The close tells how the call ended: 1000, or 4000 and the number of its code.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence

import orjson
from google.protobuf.message import DecodeError, Message

from ...bind import JSON, Binder
from ...call import AnyCall
from ...codec import Parameters
from ...metadata import Pair, to_headers
from ...methods import Method
from ...origin import Origin
from ...reply import ErrorReplier, Replier
from ...status import Status, Violation, invalid
from ...telemetry import NOTHING, Record
from .connection import GOING_AWAY, NORMAL, Frames, Socket
from .handshake import Handshake

CLOSE_BASE = 4000
"""What is added to a gRPC code's number to make a close code; 4000 to 4999 are for private use (RFC 6455, 7.4.2)."""


class Talk:
    """What the server says of one call. The handshake is completed by whatever is said first."""

    def __init__(
        self,
        socket: Socket,
        shake: Handshake,
        replier: Replier,
        parameters: Parameters,
        errors: ErrorReplier,
        origin: Origin,
    ) -> None:
        self.origin = origin
        self._record: Record = NOTHING if origin.record is None else origin.record
        self._socket, self._shake, self._errors = socket, shake, errors
        self._replier, self._parameters = replier, parameters
        self._begun = False
        self.call: AnyCall | None = None

    async def accept(self) -> None:
        """Complete the handshake, where it is not."""
        if not self._socket.accepted:
            # To a client that is told metadata in frames its call's is not known yet.
            await self._socket.accept(self._shake.subprotocol, to_headers(self.origin.initial))

    async def begin(self) -> None:
        """Say the initial metadata, once, where the client asked for it."""
        if self._begun:
            return
        self._begun = True
        await self.accept()
        if self._shake.told:
            await self._tell("metadata", () if self.call is None else self.call.initial_metadata)

    async def message(self, message: Message) -> None:
        """One response."""
        await self.begin()
        proto = self._shake.proto
        data = message.SerializeToString() if proto else self._replier.element(message, self._parameters)
        self._record.bytes_out += len(data)
        await (self._socket.binary if proto else self._socket.text)(data)

    async def end(self) -> None:
        """The clean end."""
        await self.begin()
        await self._trailers()
        await self._socket.close(NORMAL)

    async def fail(self, status: Status, *, stopping: bool = False) -> None:
        """The end of a call that failed: an HTTP response while there is no socket, a last frame and the close after.

        `stopping` says that the server ends it and not the call.
        """
        call, socket = self.call, self._socket
        self._record.code = status.number
        if not socket.accepted:
            self._record.http_status = status.http_status
            metadata = (self.origin.initial,) if call is None else (call.initial_metadata, call.trailing_metadata)
            await socket.refuse(self._errors.reply(status, *metadata))
            return
        await self.begin()
        await socket.text(self._errors.element(status))
        await self._trailers()
        code = GOING_AWAY if stopping else CLOSE_BASE + status.number
        await socket.close(code, f"{status.code.name}: {status.message}")

    async def _trailers(self) -> None:
        if self._shake.told:
            await self._tell("trailers", () if self.call is None else self.call.trailing_metadata)

    async def _tell(self, name: str, pairs: Sequence[Pair]) -> None:
        await self._socket.text(orjson.dumps({name: grouped(pairs)}))


def grouped(pairs: Sequence[Pair]) -> dict[str, str | list[str]]:
    """Metadata as JSON: a string a key, or a list where it stands more than once; bytes in base64."""
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        text = base64.b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else value
        found.setdefault(key, []).append(text)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def binding_of(method: Method, binder: Binder, values: tuple[str, ...], shake: Handshake) -> Callable[[bytes], Message]:
    """A function from a frame to a request, with what the path and the query add to each."""
    query = shake.query
    if not shake.proto:
        return lambda frame: binder.bind(values, query, frame, JSON, []).request

    def complete(frame: bytes) -> Message:
        try:
            message = method.request.FromString(frame)
        except DecodeError:
            name = method.descriptor.input_type.full_name
            raise invalid(Violation("", f"the frame is no {name} in protobuf's wire format")) from None
        return binder.complete(values, query, message, [])

    return complete


class Requests:
    """The stream of requests: frames, bound one by one. `begin` is awaited before the first is waited for."""

    def __init__(
        self, frames: Frames, bind: Callable[[bytes], Message], begin: Callable[[], Awaitable[None]], record: Record
    ) -> None:
        self._frames, self._bind, self._begin, self._record = frames, bind, begin, record

    async def __anext__(self) -> Message:
        await self._begin()
        frame = await self._frames.next()
        if frame is None:
            raise StopAsyncIteration
        self._record.bytes_in += len(frame)
        return self._bind(frame)
