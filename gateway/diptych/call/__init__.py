"""One in-process call: interceptors, context, deadline, cancellation, with no channel and no socket between.

The door is `Calls`, made once from the table of methods. `Calls.handlers` and `Calls.interceptors` are what grpcio
serves, so that both faces run the same functions in the same order; `Calls.open` begins a call that came over HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from ..metadata import Metadata, Pair
from ..methods import Handler, Method, MethodTable
from ..status import Code, Status, StatusError, error
from .adapt import adapt, behaviour_of, with_behaviour
from .context import Context, Metadatum, code_of
from .guard import Guard
from .run import DEADLINE_EXCEEDED, ClientGone, Gone, Inline, Pipe, Stragglers, before, timed

__all__ = [
    "Call",
    "Calls",
    "ClientGone",
    "Context",
    "Gone",
    "Guard",
    "Stream",
    "before",
    "behaviour_of",
    "with_behaviour",
]

DETAILS_KEY = "grpc-status-details-bin"
# How far a servicer may run ahead of a client that reads slowly, in messages.
AHEAD = 16

Chain: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


@dataclass(slots=True)
class _Details(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: Any


class Calls:
    """Everything that is the same for every call.

    `threads` runs servicers that are plain functions; `max_seconds` is the longest any call may take.
    """

    def __init__(
        self,
        methods: MethodTable,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        *,
        threads: Executor,
        debug: bool = False,
        max_seconds: float | None = None,
    ) -> None:
        self.stragglers = Stragglers()
        self.guard = Guard(threads, self.stragglers, debug=debug, max_seconds=max_seconds)
        self.interceptors: Sequence[grpc.aio.ServerInterceptor] = (self.guard, *interceptors)
        self.handlers: dict[str, Handler] = {method.path: adapt(method.handler, threads) for method in methods}
        # Without interceptors of the user's, the chain has one answer for a method, found now.
        self.guarded = {path: self.guard.know(one, path) for path, one in self.handlers.items()}
        self._chain = None if not interceptors else self._link()

    def _link(self) -> Chain:
        async def last(details: grpc.HandlerCallDetails) -> Handler | None:
            return self.handlers.get(details.method)

        chain: Chain = last
        for interceptor in reversed(self.interceptors):
            chain = partial(interceptor.intercept_service, chain)
        return chain

    async def open(self, method: Method, metadata: Metadata, peer: str, seconds: float | None) -> Call:
        """Begin a call: the interceptors run now, before anything is read of the request's body.

        Its `seconds` count from now. Raises `StatusError` where the chain gives no handler, or takes too long.
        """
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        if self._chain is None:
            return Call(self, method, self.guarded[method.path], metadata, peer, deadline, plain=True)
        pairs = tuple([Metadatum(*pair) for pair in metadata])
        details = _Details(method.path, pairs)
        if deadline is None:
            handler = await self._chain(details)
        else:
            async with before(deadline):
                handler = await self._chain(details)
        if handler is None:
            raise error(Code.UNIMPLEMENTED, "Method not found!")
        return Call(self, method, handler, pairs, peer, deadline, plain=False)


class Call:
    """One call that has passed the interceptors' look at its metadata."""

    __slots__ = ("_behaviour", "_calls", "_handler", "_plain", "context", "deadline", "method")

    def __init__(
        self,
        calls: Calls,
        method: Method,
        handler: Handler,
        metadata: Metadata,
        peer: str,
        deadline: float | None,
        *,
        plain: bool,
    ) -> None:
        self._calls, self._handler, self.method = calls, handler, method
        # Whether the handler is the registered one, so that messages need no look at its own ways with bytes.
        self._plain = plain
        self._behaviour = behaviour_of(handler)
        self.deadline = deadline
        """When it has to be over, in the loop's time."""
        # The loop is asked for only where there is a deadline: CPython 3.11 makes a system call of it.
        self.context = Context(metadata, peer, deadline, None if deadline is None else asyncio.get_running_loop())

    @property
    def needs_request(self) -> bool:
        """False where an interceptor answers by itself: a handler that parses nothing looks at nothing."""
        return self._handler.request_deserializer is not None

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream; an interceptor that refuses a stream may do so as a unary handler."""
        return bool(self._handler.response_streaming)

    async def unary(self, request: Message | AsyncIterator[Message], gone: Gone) -> Message:
        """The one response. Raises `StatusError`, or `ClientGone`; cancels the servicer where it must."""
        context = self.context
        coroutine: Coroutine[Any, Any, Any] = self._behaviour(self._request(request), context)
        cancelled = True
        try:
            if self.deadline is None:
                response = await Inline(coroutine, gone)
            else:
                left = self.deadline - asyncio.get_running_loop().time()
                response = await timed(coroutine, gone, left, self._calls.stragglers)
            cancelled = False
        except (grpc.aio.AbortError, grpc.aio.UsageError):
            cancelled = False
            raise StatusError(self._status()) from None
        finally:
            context.finish(cancelled=cancelled)
        if context.code() is not None and code_of(context.code()) is not Code.OK:
            raise StatusError(self._status())
        return self._response(response)

    def stream(self, request: Message | AsyncIterator[Message]) -> Stream:
        """The stream of responses, begun at once."""
        return Stream(self, self._behaviour(self._request(request), self.context), self.deadline)

    def _request(self, request: Any) -> Any:
        if self._plain:
            return request
        deserialize = self._handler.request_deserializer
        if deserialize == self.method.handler.request_deserializer:
            return request
        # As grpcio does: no deserializer, plain bytes; and an interceptor's own is given what gRPC would give it.
        data = request.SerializeToString() if isinstance(request, Message) else b""
        return data if deserialize is None else deserialize(data)

    def _response(self, response: Any) -> Message:
        made = self.method.response
        serialize = self._handler.response_serializer
        if isinstance(response, made) and (self._plain or serialize == self.method.handler.response_serializer):
            return response
        try:
            # An interceptor's own serializer, or none and bytes: what gRPC would put on the wire is read back.
            return made.FromString(serialize(response) if serialize is not None else response)
        except Exception as broken:
            wrong = TypeError(f"the servicer returned {type(response).__name__}, not {made.DESCRIPTOR.full_name}")
            wrong.__cause__ = broken
            raise StatusError(self._calls.guard.status(wrong, self.method.path)) from None

    def _status(self) -> Status:
        context = self.context
        rich = next((value for key, value in context.trailing_metadata() if key == DETAILS_KEY), None)
        details: tuple[Any, ...] = ()
        if isinstance(rich, bytes):
            details = tuple(status_pb2.Status.FromString(rich).details)
        return Status(code=code_of(context.code()), message=context.details(), details=details)

    @property
    def initial_metadata(self) -> Sequence[Pair]:
        """What the servicer sent, or would have sent, before its first message."""
        return self.context.initial_metadata

    @property
    def trailing_metadata(self) -> Sequence[Pair]:
        """What the servicer set for the end, without the status details, which the error itself carries."""
        trailing = self.context.trailing_metadata()
        return [pair for pair in trailing if pair[0] != DETAILS_KEY] if trailing else trailing


class Stream:
    """Responses as they come. One task runs the servicer; it is cancelled by `close`, which always has to be called."""

    def __init__(self, call: Call, running: Any, deadline: float | None) -> None:
        self._call = call
        self._pipe = Pipe(AHEAD)
        self._unfit: StatusError | None = None
        call.context.attach(self._pipe.put, self._pipe.touch)
        self._task = asyncio.ensure_future(self._run(running))
        self._timer = None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._late)

    def _late(self) -> None:
        # The reader is told first: its answer waits for nobody's clean-up.
        self._pipe.end(error(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED))
        self._task.cancel()

    async def _run(self, running: Any) -> None:
        pipe, call = self._pipe, self._call
        cancelled = False
        try:
            if hasattr(running, "__aiter__"):
                try:
                    async for message in running:
                        await pipe.put(message)
                finally:
                    await running.aclose()  # now, not when the garbage collector finds it
            else:
                await running
        except (grpc.aio.AbortError, grpc.aio.UsageError):
            pipe.end(StatusError(call._status()))
        except asyncio.CancelledError:
            cancelled = True
            pipe.end(error(Code.CANCELLED, "the call was cancelled"))
        except BaseException as wrong:
            pipe.end(StatusError(call._calls.guard.status(wrong, call.method.path)))
        else:
            code = code_of(call.context.code())
            pipe.end(None if code is Code.OK else StatusError(call._status()))
        finally:
            call.context.finish(cancelled=cancelled)

    async def next(self, gone: asyncio.Future[Any], idle: float | None = None) -> list[Message] | None:
        """What has come since: at least one message, or nothing where `idle` seconds passed or metadata was sent.

        None at a clean end. Raises `StatusError` when it failed or is late, `ClientGone` when the client left.
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
        if messages is None:
            return None
        fit: list[Message] = []
        try:
            for message in messages:
                fit.append(self._call._response(message))
        except StatusError as unfit:
            if not fit:
                raise
            self._unfit = unfit  # after those before it
            pipe.touch()
        return fit

    def close(self) -> None:
        """Cancel the servicer where it still runs; nobody waits for its clean-up."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._task.done():
            self._call._calls.stragglers.add(self._task)
