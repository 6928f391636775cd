"""The stream of responses of a call, between the servicer's task and the task that sends them.

It knows no protocol and no message type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import grpc

from ..status import Code, Status, StatusError, error
from ..telemetry import Record
from .context import Context, code_of
from .environment import Environment
from .pipe import Packing, Pipe, Unsendable
from .run import DEADLINE_EXCEEDED, ClientGone


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

    def __init__(
        self,
        call: Running,
        running: Any,
        packing: Packing,
        deadline: float | None,
        raised: Callable[[Any, BaseException], Awaitable[None]] | None = None,
    ) -> None:
        self._call, self._packing, self._raised = call, packing, raised
        self._pipe = Pipe(call.shared.turns)
        self.uncompressed: set[int] = set()
        """The indexes of the messages that the servicer wants sent uncompressed."""
        self._gone: asyncio.Future[Any] | None = None
        call.context.attach(self._write, self._pipe.touch, self._leave_uncompressed)
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
                await self._iterate(running)
            else:
                await running
        except Unsendable as unsendable:
            cancelled = True
            pipe.end(self._refusal(unsendable.why))
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
            call.context.finish(cancelled)

    async def _iterate(self, messages: Any) -> None:
        try:
            await self._pipe.put_all(messages, self._packing)
        except Unsendable:
            raise
        except (Exception, asyncio.CancelledError) as wrong:
            if self._raised is None:
                raise
            await self._raised(self._call.context, wrong)
        finally:
            await messages.aclose()  # its `finally` must run now, not at garbage collection

    async def _write(self, message: Any) -> None:
        try:
            await self._pipe.put(message, self._packing)
        except Unsendable as unsendable:
            self._pipe.end(self._refusal(unsendable.why))
            raise asyncio.CancelledError from None  # as the session cancels the servicer, since the stream has ended

    def _refusal(self, why: Exception) -> StatusError:
        return (
            why if isinstance(why, StatusError) else StatusError(self._call.shared.guard.status(why, self._call.path))
        )

    def _leave_uncompressed(self) -> None:
        self.uncompressed.add(self._pipe.count)

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
        self._pipe.close()
        if self._timer is not None:
            self._timer.cancel()
        if not self._task.done():
            self._call.shared.stragglers.add(self._task)
