"""The stream of responses of a call, between the servicer's task and the task that sends them.

It knows no protocol and no message type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import grpc

from ..status import Code, Status, StatusError, error
from ..telemetry import Record
from .context import Context, code_of
from .environment import Environment
from .pipe import Pipe
from .run import DEADLINE_EXCEEDED, ClientGone

Pack = Callable[[Any], bytes]
"""Serializes a response, in the form in which its face sends it or the form that it is made from."""


class Running(Protocol):
    """The part of a call that a stream uses."""

    context: Context
    path: str
    record: Record

    @property
    def shared(self) -> Environment: ...
    @property
    def client_left(self) -> bool: ...
    def status(self) -> Status: ...


class Stream:
    """Responses as they arrive. A task runs the servicer; `close` cancels it, and must always be called.

    A response is packed at once, as grpcio serializes it: the servicer may change and send the same object again.
    """

    def __init__(self, call: Running, running: Any, pack: Pack, deadline: float | None) -> None:
        self._call, self._pack = call, pack
        self._pipe = Pipe()
        self.uncompressed: set[int] = set()
        """The indexes of the messages that the servicer wants sent uncompressed."""
        self._put_so_far = 0
        self._gone: asyncio.Future[Any] | None = None
        call.context.attach(self._put, self._pipe.touch)
        self._task = asyncio.ensure_future(self._run(running))
        self._timer = None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._late)

    def _late(self) -> None:
        # The pipe first, so that the response does not wait for the servicer's clean-up.
        self._pipe.end(error(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED))
        self._task.cancel()

    async def _run(self, running: Any) -> None:
        pipe, call = self._pipe, self._call
        cancelled = False
        try:
            if hasattr(running, "__aiter__"):
                try:
                    async for message in running:
                        if not self._queued(message):
                            await pipe.room()
                finally:
                    await running.aclose()  # its `finally` must run now, not at garbage collection
            else:
                await running
        except (grpc.aio.AbortError, grpc.aio.UsageError):
            pipe.end(ClientGone() if call.client_left else StatusError(call.status()))
        except asyncio.CancelledError:
            cancelled = True
            pipe.end(ClientGone() if call.client_left else error(Code.CANCELLED, "the call was cancelled"))
        except BaseException as wrong:
            pipe.end(StatusError(call.shared.guard.status(wrong, call.path)))
        else:
            code = code_of(call.context.code())
            pipe.end(None if code is Code.OK else StatusError(call.status()))
        finally:
            call.context.finish(cancelled=cancelled)

    async def _put(self, message: Any) -> None:
        if not self._queued(message):
            await self._pipe.room()

    def _queued(self, message: Any) -> bool:
        """Queues a message; returns False if the servicer must wait for room before the next."""
        context = self._call.context
        if context.uncompressed_next:
            context.uncompressed_next = False
            self.uncompressed.add(self._put_so_far)
        self._put_so_far += 1
        try:
            packed = self._pack(message)
        except Exception as wrong:
            known = isinstance(wrong, StatusError)
            self._pipe.end(wrong if known else StatusError(self._call.shared.guard.status(wrong, self._call.path)))
            raise asyncio.CancelledError from None  # the stream is over, and the session cancels the servicer
        return self._pipe.put(packed)

    async def next(self, gone: asyncio.Future[Any], idle: float | None = None) -> list[bytes] | None:
        """Returns the messages since the last call; an empty list after `idle` seconds or if metadata was sent.

        Returns None at the end. Raises `StatusError` for a failure or a missed deadline, `ClientGone` for a disconnect.
        `gone` is the same in every call.
        """
        pipe = self._pipe
        if self._gone is None:
            self._gone = gone
            gone.add_done_callback(self._on_gone)
        if not gone.done():
            await pipe.readable(idle)
        if gone.done():
            raise ClientGone
        messages = pipe.take()
        if messages:
            self._call.record.messages_out += len(messages)
        return messages

    def _on_gone(self, gone: asyncio.Future[Any]) -> None:
        self._pipe.touch()

    def close(self) -> None:
        """Cancels the servicer if it is still running, without waiting for its clean-up."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._task.done():
            self._call.shared.stragglers.add(self._task)
