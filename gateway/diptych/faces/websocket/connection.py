"""One WebSocket over ASGI: accept or refuse, send frames, receive them as fast as they are read, and close.

It knows no message and no call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from ...call import ClientGone
from ...exchange import BodyTimeouts, MessageBounds, MessageWatch, Receive, Scope, Send
from ...origin import Lease
from ...reply import Headers, Reply
from ...status import StatusError, Violation, invalid

HELD = "diptych.held"
"""The scope's key for the listener's function that keeps a connection open during the grace period of a stop.

It takes a function to call when the connection is lost.
"""
WATCHED = "diptych.watched"
"""The scope's key for the listener's function that takes a function to call after each read, with the number of bytes
that it holds of an incomplete message.
"""

LIMITED = "diptych.limited"
"""The scope's key for the listener's function that limits the bytes which a client may send for its first message.

The listener closes the connection with 1009 above them. A message that is being received cannot be seen by ASGI.
"""

# How far a client may run ahead of the servicer. The window is not zero, since a pong or a close behind a message on
# the wire is only seen once the message is read.
_AHEAD_FRAMES = 16
_AHEAD_BYTES = 64 * 1024
_REASON_BYTES = 123  # RFC 6455 section 5.5: a control frame's 125, without the code

NORMAL, GOING_AWAY, UNSUPPORTED, TOO_BIG = 1000, 1001, 1003, 1009


class SendAll(Protocol):
    """The listener's function that sends several messages by one write."""

    def __call__(self, messages: Sequence[bytes], *, text: bool) -> Awaitable[None]: ...


class Closing(NamedTuple):
    """A close that the WebSocket protocol requires."""

    code: int
    reason: str


def reason(text: str) -> str:
    """Returns as much of the text as a close frame holds, cut between characters."""
    return text.encode()[:_REASON_BYTES].decode(errors="ignore")


class Socket:
    """The server's end of one WebSocket. Every method that sends raises `ClientGone` if the client has left."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self._asgi_send = scope, receive, send
        # Only the listener's own `send` has it; another server has none, and middleware must see each message.
        self._send_all: SendAll | None = getattr(getattr(send, "__self__", None), "send_all", None)
        self.accepted = self.closed = False
        self.refused = 0
        """The HTTP status that refused the handshake; 0 if it was not refused."""
        self.on_lost: Callable[[], None] | None = None

    async def connected(self) -> bool:
        """Whether the client still waits for an answer to its handshake."""
        return bool((await self.receive())["type"] == "websocket.connect")

    async def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Completes the handshake; from then on a stop gives the connection its grace period."""
        self.accepted = True
        held = self.scope.get(HELD)
        if held is not None:
            held(self._lost)
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})

    def watch(self, arrived: Callable[[int], None]) -> None:
        """Calls `arrived` with the bytes that the listener holds of an incomplete message, if it can tell."""
        watched = self.scope.get(WATCHED)
        if watched is not None:
            watched(arrived)

    def _lost(self) -> None:
        if self.on_lost is not None:
            self.on_lost()

    def limit(self, size: int) -> None:
        """Limits the bytes of the first message, where the listener can."""
        limited = self.scope.get(LIMITED)
        if limited is not None:
            limited(size)

    async def refuse(self, reply: Reply) -> None:
        """Refuses the handshake with an HTTP response, or a bare 403 on servers without that ASGI extension."""
        self.closed, self.refused = True, reply.status
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self._send({"type": "websocket.close", "code": 1008})
            return
        start = {"type": "websocket.http.response.start", "status": reply.status, "headers": reply.headers}
        await self._send(start)
        await self._send({"type": "websocket.http.response.body", "body": reply.body})

    async def send_all(self, messages: Sequence[bytes], *, text: bool) -> None:
        """Sends messages, each in a frame of its own; waits while the client is behind."""
        if self._send_all is None:
            for data in messages:
                await (self.text(data) if text else self.binary(data))
            return
        try:
            await self._send_all(messages, text=text)
        except OSError:
            raise ClientGone from None

    async def text(self, data: bytes) -> None:
        """Sends a text frame; waits while the client is behind."""
        await self._send({"type": "websocket.send", "text": data.decode()})

    async def binary(self, data: bytes) -> None:
        """Sends a binary frame; waits while the client is behind."""
        await self._send({"type": "websocket.send", "bytes": data})

    async def close(self, code: int, text: str = "") -> None:
        """Closes the connection, once."""
        if not self.closed:
            self.closed = True
            await self._send({"type": "websocket.close", "code": code, "reason": reason(text)})

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self._asgi_send(message)
        except OSError:  # ASGI: raised by `send` once the client has disconnected
            raise ClientGone from None


def _ignored(held: int) -> None:
    """Ignores a number of bytes."""


class Frames:
    """Receives the client's messages, one for each frame; nothing else may receive until it is closed.

    `most` is how many messages the method takes, None for any number; `limit` is the largest, in bytes. When the client
    leaves or breaks the protocol (see `fault`), `left` is done and `next` raises `ClientGone`.
    """

    def __init__(
        self,
        socket: Socket,
        *,
        proto: bool,
        limit: int,
        most: int | None,
        timeouts: BodyTimeouts,
        lease: Lease | None,
    ) -> None:
        self._socket, self._proto, self._limit, self._most = socket, proto, limit, most
        self._held: deque[bytes] = deque()
        self._bytes = self._taken = 0
        self._half_closed = False
        self._filled, self._room = asyncio.Event(), asyncio.Event()
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.fault: Closing | StatusError | None = None
        self._bounds, self._watch = MessageBounds(timeouts, lease), MessageWatch(timeouts, self._fail)
        socket.watch(self._arrived)
        socket.on_lost = self._leave  # the pump does not receive the disconnect while it waits for room
        self._pump = asyncio.ensure_future(self._run())

    def close(self) -> None:
        """Stops receiving."""
        self._pump.cancel()
        self._watch.stop()
        self._socket.watch(_ignored)
        self._socket.on_lost = None
        self.left.cancel()

    async def _run(self) -> None:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            self.fault = self._take(message.get("text"), message.get("bytes"))
            if self.fault is not None:
                break
            self._filled.set()
            while len(self._held) >= _AHEAD_FRAMES or self._bytes >= _AHEAD_BYTES:
                self._room.clear()
                await self._room.wait()
        self._leave()

    def _arrived(self, held: int) -> None:
        try:
            self._watch.arrived(held)
            self._bounds.hold(self._bytes + held)
        except StatusError as full:
            self._fail(full)

    def _fail(self, fault: StatusError) -> None:
        if not self.left.done():
            self.fault = fault
            self._leave()

    def _leave(self) -> None:
        self._watch.stop()
        if not self.left.done():
            self.left.set_result(None)
        self._filled.set()

    def _take(self, text: str | None, data: bytes | None) -> Closing | StatusError | None:
        if text == "":
            self._half_closed = True
            return None
        if (text is None) is not self._proto:
            wanted = "binary frames" if self._proto else "text frames"
            return Closing(UNSUPPORTED, f"unexpected frame type; this subprotocol uses {wanted}")
        frame = data if data is not None else (text or "").encode()
        if len(frame) > self._limit:
            return Closing(TOO_BIG, f"the message is larger than {self._limit} bytes")
        if self._half_closed:
            return invalid(Violation("", "unexpected message after the empty frame that ends the requests"))
        self._taken += 1
        if self._most is not None and self._taken > self._most:
            return invalid(
                Violation("", f"unexpected message; the method reads {'one message' if self._most else 'no messages'}")
            )
        self._held.append(frame)
        self._bytes += len(frame)
        try:
            self._bounds.hold(self._bytes + self._watch.held)
        except StatusError as full:
            return full
        return None

    def held(self) -> bytes | None:
        """Returns the next message if it has arrived and the client is still there, else None.

        The message before it is no longer counted.
        """
        if self._bounds.held:
            self._bounds.hold(self._bytes + self._watch.held)
        if not self._held or self.left.done():
            return None
        frame = self._held.popleft()
        self._bytes -= len(frame)
        self._room.set()
        return frame

    async def next(self) -> bytes | None:
        """Returns the next message, or None after the last. Raises `ClientGone`."""
        while not self.left.done():
            if (frame := self.held()) is not None:
                return frame
            if self._half_closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        raise ClientGone

    async def gone(self) -> None:
        """Returns when the client has left or broken the protocol."""
        await asyncio.shield(self.left)
