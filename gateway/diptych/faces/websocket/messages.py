"""Requests from a client's frames, and metadata as the JSON of a frame.

It knows no route and no socket.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence

from google.protobuf.message import DecodeError, Message

from ...bind import JSON, Binder
from ...metadata import Pair
from ...methods import Method
from ...status import Violation, invalid
from ...telemetry import Record
from .connection import Frames
from .handshake import Handshake


def grouped(pairs: Sequence[Pair]) -> dict[str, str | list[str]]:
    """Returns metadata as JSON: a string for each key, or a list for a repeated one; bytes in base64."""
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        text = base64.b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else value
        found.setdefault(key, []).append(text)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def binding_of(
    method: Method, binder: Binder, values: tuple[str, ...], handshake: Handshake
) -> Callable[[bytes], Message]:
    """Returns a function from a frame to a request, into which path and query are bound too."""
    query = handshake.query
    if not handshake.proto:
        return binder.elements(values, query, JSON, [])

    def complete(frame: bytes) -> Message:
        try:
            message = method.request.FromString(frame)
        except DecodeError:
            name = method.descriptor.input_type.full_name
            raise invalid(Violation("", f"cannot parse the frame as a serialized {name}")) from None
        return binder.complete(values, query, message, [])

    return complete


class Requests:
    """The stream of requests: frames, bound one by one. `begin` is awaited before the first, to accept the socket."""

    def __init__(
        self, frames: Frames, bind: Callable[[bytes], Message], begin: Callable[[], Awaitable[None]], record: Record
    ) -> None:
        self._frames, self._bind, self._begin, self._record = frames, bind, begin, record
        self._begun = False

    def take(self) -> Message | None:
        frame = self._frames.held() if self._begun else None
        return None if frame is None else self._bound(frame)

    async def __anext__(self) -> Message:
        if not self._begun:
            await self._begin()
            self._begun = True
        frame = await self._frames.next()
        if frame is None:
            raise StopAsyncIteration
        return self._bound(frame)

    def _bound(self, frame: bytes) -> Message:
        self._record.bytes_in += len(frame)
        return self._bind(frame)
