"""A client's stream in envelopes: what follows a message that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from diptych.exchange import BodyTimeouts, MessageBounds
from diptych.faces.rpc.requests import EnvelopeReader, EnvelopeSource
from diptych.status import Code, StatusError, error


class Arrived:
    """A body that is complete."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def piece(self) -> bytes | None:
        return self._pieces.pop(0) if self._pieces else None


def _text(data: bytes) -> str:
    if data == b"nope":
        raise error(Code.INVALID_ARGUMENT, "no text")
    return data.decode()


def _envelope(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


async def test_a_message_that_cannot_be_read_is_reported_once() -> None:
    body: Any = Arrived(_envelope(b"nope") + _envelope(b"good"))
    bounds = MessageBounds(BodyTimeouts(seconds=5, pace=1), None)
    source = EnvelopeSource(body, EnvelopeReader(None, 1000, Code.INTERNAL, _text), None, bounds)
    with pytest.raises(StatusError):
        await anext(source)
    assert await anext(source) == "good", "a servicer may pass over a message and read on"
    with pytest.raises(StopAsyncIteration):
        await anext(source)
