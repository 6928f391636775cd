"""The stream of responses of a call, between the servicer's task and the task that sends them.

It knows no protocol and no message type.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import grpc

from ..status import Code, Status, StatusError, error
from ..telemetry import Record
from .context import Context, code_of
from .environment import Environment
from .run import DEADLINE_EXCEEDED, ClientGone, Pipe

# How far a servicer may run ahead of a client that reads slowly, in messages.
AHEAD = 16


class Running(Protocol):
    """The part of a call that a stream uses."""

    context: Context
    path: str
    record: Record

    @property
    def shared(self) -> Environment: ...
    def to_face(self, response: Any) -> Any: ...
    def status(self) -> Status: ...


class Stream:
    """Responses as they arrive. A task runs the servicer; `close` cancels it, and must always be called."""

    def __init__(self, call: Running, running: Any, deadline: float | None) -> None:
        self._call = call
        self._pipe = Pipe(AHEAD)
        self._unfit: StatusError | None = None
        self.uncompressed: set[int] = set()
        """The indexes of the messages that the servicer wants sent uncompressed."""
        self._put_so_far = 0
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
                        await self._put(message)
                finally:
                    await running.aclose()  # its `finally` must run now, not at garbage collection
            else:
                await running
        except (grpc.aio.AbortError, grpc.aio.UsageError):
            pipe.end(StatusError(call.status()))
        except asyncio.CancelledError:
            cancelled = True
            pipe.end(error(Code.CANCELLED, "the call was cancelled"))
        except BaseException as wrong:
            pipe.end(StatusError(call.shared.guard.status(wrong, call.path)))
        else:
            code = code_of(call.context.code())
            pipe.end(None if code is Code.OK else StatusError(call.status()))
        finally:
            call.context.finish(cancelled=cancelled)

    async def _put(self, message: Any) -> None:
        context = self._call.context
        if context.uncompressed_next:
            context.uncompressed_next = False
            self.uncompressed.add(self._put_so_far)
        self._put_so_far += 1
        await self._pipe.put(message)

    async def next(self, gone: asyncio.Future[Any], idle: float | None = None) -> list[Any] | None:
        """Returns the messages since the last call; an empty list after `idle` seconds or if metadata was sent.

        Returns None at the end. Raises `StatusError` for a failure or a missed deadline, `ClientGone` for a disconnect.
        """
        pipe = self._pipe
        if not pipe.ready.is_set():
            waiting: asyncio.Future[Any] = asyncio.ensure_future(pipe.ready.wait())
            try:
                await asyncio.wait({waiting, gone}, timeout=idle, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
        if gone.done():
            raise ClientGone
        if not pipe.ready.is_set():
            return []
        if self._unfit is not None:
            raise self._unfit
        messages = pipe.take()
        record = self._call.record
        if messages is None:
            return None
        fit: list[Any] = []
        try:
            for message in messages:
                fit.append(self._call.to_face(message))
                record.messages_out += 1
        except StatusError as unfit:
            if not fit:
                raise
            self._unfit = unfit  # raised after the messages before it
            pipe.touch()
        return fit

    def close(self) -> None:
        """Cancels the servicer if it is still running, without waiting for its clean-up."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._task.done():
            self._call.shared.stragglers.add(self._task)
