"""The outermost interceptor of all faces: hides exceptions' texts, and limits a call's time to the server's maximum.

An unexpected exception becomes INTERNAL with an id, which the log shows with the traceback.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple, TypeAlias

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from ..methods import Handler
from ..origin import origin
from ..status import Code, Status, StatusError, pack
from .adapt import Behaviour, adapt, behaviour_of, generates, with_behaviour
from .context import code_of
from .run import DEADLINE_EXCEEDED, Stragglers, timed

logger = logging.getLogger("diptych.call")

Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


Report: TypeAlias = "Callable[[BaseException, str, str], None]"


class GuardedStream(NamedTuple):
    """The parts of a guarded behaviour that generates messages.

    Who iterates the messages may do without the guard's own generator around theirs, which costs as much as to
    serialize a small message, and then awaits `raised` with the context and what they raise.
    """

    behaviour: Behaviour
    raised: Callable[[Any, BaseException], Awaitable[None]]


def parts_of(behaviour: Behaviour) -> GuardedStream | None:
    """Returns the parts of a guarded behaviour that generates messages; None for any other behaviour."""
    return getattr(behaviour, "parts", None)


class Guard(grpc.aio.ServerInterceptor):
    """Converts exceptions to statuses. `debug` adds their text; `max_seconds` limits every call.

    `report` is called with each unexpected exception, its id and where it was raised.
    """

    def __init__(
        self,
        threads: Executor,
        stragglers: Stragglers,
        *,
        debug: bool = False,
        max_seconds: float | None = None,
        report: Report | None = None,
    ) -> None:
        self._report = report
        self._threads, self._stragglers = threads, stragglers
        self._debug, self._max_seconds = debug, max_seconds
        # Most interceptors pass the registered handler on unchanged; its guarded handler is made at start-up.
        self._known: dict[int, Handler] = {}

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        try:
            handler = await continuation(handler_call_details)
        except Exception as error:
            return self.failed(error, handler_call_details.method)
        if handler is None:
            return None
        return self._known.get(id(handler)) or self.guarded(handler, handler_call_details.method)

    def know(self, handler: Handler, method: str) -> Handler:
        """Guards a registered handler; it must live as long as the guard, since its id is the key."""
        guarded = self._known[id(handler)] = self.guarded(handler, method)
        return guarded

    def guarded(self, handler: Handler, method: str) -> Handler:
        """Returns a handler whose exceptions become statuses."""
        handler = adapt(handler, self._threads)  # an interceptor may return a handler with a `def` behaviour
        behaviour = behaviour_of(handler)
        wrap = self._stream if handler.response_streaming and generates(behaviour) else self._unary
        guarded = wrap(behaviour, method)
        if self._max_seconds is not None:
            guarded = _capped(guarded, self._max_seconds, self._stragglers)
        return with_behaviour(handler, guarded)

    # A streaming behaviour that is not a generator writes to the context and returns None, so it is awaited too.
    def _unary(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def unary(request: Any, context: Any) -> Any:
            try:
                return await behaviour(request, context)
            except grpc.aio.AbortError as error:
                return await self._aborted(context, error, method)
            except asyncio.CancelledError:
                if _is_cancelled(context):
                    raise
                return await context.abort(Code.CANCELLED, "the call was cancelled by the server")
            except Exception as error:
                return await self._fail(context, error, method)

        return unary

    def _stream(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def raised(context: Any, error: BaseException) -> None:
            if isinstance(error, grpc.aio.AbortError):
                await self._aborted(context, error, method)
            elif isinstance(error, Exception):
                await self._fail(context, error, method)
            elif _is_cancelled(context):
                raise error
            else:
                await context.abort(Code.CANCELLED, "the call was cancelled by the server")

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            messages = behaviour(request, context)
            try:
                async for message in messages:
                    yield message
            except (Exception, asyncio.CancelledError) as error:
                await raised(context, error)
            finally:
                await messages.aclose()

        # A function, since grpcio recognizes no other asynchronous generator.
        stream.parts = GuardedStream(behaviour, raised)  # type: ignore[attr-defined]  # for `parts_of`
        return stream

    async def _aborted(self, context: Any, error: grpc.aio.AbortError, method: str) -> Any:
        if code_of(context.code()) is Code.OK:
            return await self._fail(context, error, method)  # raised without a call of abort()
        try:
            raise error
        finally:
            del error  # breaks the reference cycle of the exception and this frame, which is in its traceback

    async def _fail(self, context: Any, error: Exception, method: str) -> Any:
        if isinstance(error, StatusError):
            return await _abort(context, error.status)
        code = code_of(context.code())
        if code is Code.OK:
            return await _abort(context, self.status(error, method))
        if isinstance(error, grpc.aio.InternalError):
            raise error  # the status cannot be sent, since the client has disconnected; grpcio handles that
        if not isinstance(error, NotImplementedError | grpc.aio.UsageError):
            logger.error("%s raised after it had set the code %s", method, code.name, exc_info=error)
        # What the generated base class does: set_code(UNIMPLEMENTED), then raise NotImplementedError.
        return await context.abort(code, context.details(), context.trailing_metadata() or ())

    def status(self, error: BaseException, where: str) -> Status:
        """Logs an unexpected exception under a new id; returns the status for the client."""
        known = origin()
        if known is not None and known.record is not None:
            known.record.caught(error)
        error_id = uuid.uuid4().hex[:16]
        logger.error("unexpected error %s in %.1024s", error_id, where, exc_info=error)
        if self._report is not None:
            self._report(error, error_id, where)
        text = f"internal error, id {error_id}"
        if self._debug:
            text += f": {type(error).__name__}: {error}"
        detail = error_details_pb2.RequestInfo(request_id=error_id)
        return Status(code=Code.INTERNAL, message=text, details=(pack(detail),))

    def failed(self, error: Exception, method: str) -> Handler:
        """Returns a handler for a call whose interceptor raised; it needs no request."""

        async def failed(request: Any, context: Any) -> Any:
            await self._fail(context, error, method)

        return grpc.unary_unary_rpc_method_handler(failed)


async def _abort(context: Any, status: Status) -> Any:
    if not status.details:
        return await context.abort(status.code, status.message)
    rich = rpc_status.to_status(status_pb2.Status(code=status.number, message=status.message, details=status.details))
    return await context.abort(rich.code, rich.details, rich.trailing_metadata)


def _is_cancelled(context: Any) -> bool:
    """Returns whether the call was cancelled, unlike a CancelledError that the servicer raised itself."""
    task = asyncio.current_task()
    return bool(context.cancelled() or (task is not None and task.cancelling()))


def _capped(behaviour: Behaviour, seconds: float, stragglers: Stragglers) -> Behaviour:
    """Returns a behaviour that applies the server's deadline if the client's is later or missing."""

    def late(context: Any) -> bool:
        remaining = context.time_remaining()
        return remaining is None or remaining > seconds

    if not generates(behaviour):

        async def unary(request: Any, context: Any) -> Any:
            if not late(context):
                return await behaviour(request, context)
            coroutine = behaviour(request, _Capped(context, seconds))
            try:
                return await timed(coroutine, None, seconds, stragglers)
            except StatusError as over:
                return await context.abort(over.status.code, over.status.message)

        return unary

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        if not late(context):
            async for message in behaviour(request, context):
                yield message
            return
        capped = _Capped(context, seconds)
        try:
            async with asyncio.timeout(seconds):
                async for message in behaviour(request, capped):
                    yield message
        except TimeoutError:
            await context.abort(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED)

    return stream


class _Capped:
    """A context with the server's deadline; everything else is delegated."""

    def __init__(self, context: Any, seconds: float) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds

    def time_remaining(self) -> float:
        return max(0.0, self._deadline - self._loop.time())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
