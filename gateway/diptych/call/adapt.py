"""Adapts every kind of servicer to an `async def` behaviour.

Plain `def` servicers run in a thread pool, where their generators are iterated too. This module knows no face.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import Any

import grpc

from ..methods import Handler
from .context import SyncContext

Behaviour = Callable[[Any, Any], Any]
_END = object()


def behaviour_of(handler: Handler) -> Behaviour:
    """Returns the handler's function; a handler has exactly one of four."""
    found: Behaviour | None = (
        (handler.stream_stream if handler.response_streaming else handler.stream_unary)
        if handler.request_streaming
        else (handler.unary_stream if handler.response_streaming else handler.unary_unary)
    )
    if found is None:
        raise TypeError("the handler has no function for its kind of streaming")
    return found


_SAME: Any = object()


def with_behaviour(handler: Handler, behaviour: Behaviour, parse: Any = _SAME, show: Any = _SAME) -> Handler:
    """Returns a handler of the same kind with another function, and optionally another parser and serializer."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[bool(handler.request_streaming), bool(handler.response_streaming)]
    adapted: Handler = make(
        behaviour,
        handler.request_deserializer if parse is _SAME else parse,
        handler.response_serializer if show is _SAME else show,
    )
    return adapted


def is_async(behaviour: Behaviour) -> bool:
    """Returns whether the behaviour is a coroutine function or an async generator function."""
    return any(map(inspect.iscoroutinefunction, _functions(behaviour))) or generates(behaviour)


def generates(behaviour: Behaviour) -> bool:
    """Returns whether the behaviour yields its messages instead of writing them to the context."""
    return any(map(inspect.isasyncgenfunction, _functions(behaviour)))


def _functions(behaviour: Behaviour) -> tuple[Behaviour, Behaviour]:
    """Returns the functions to inspect: the behaviour itself (or a partial), and `__call__` for callable objects."""
    return behaviour, type(behaviour).__call__


def adapt(handler: Handler, threads: Executor) -> Handler:
    """Returns a handler with an asynchronous behaviour; the same handler if its behaviour is asynchronous already."""
    behaviour = behaviour_of(handler)
    if is_async(behaviour):
        return handler
    return with_behaviour(handler, _threaded(behaviour, threads, handler))


def _threaded(behaviour: Behaviour, threads: Executor, handler: Handler) -> Behaviour:
    def requests_of(request: Any, loop: asyncio.AbstractEventLoop) -> Any:
        return _blocking(request, loop) if handler.request_streaming else request

    if not handler.response_streaming:

        async def unary(request: Any, context: Any) -> Any:
            loop = asyncio.get_running_loop()
            sync = SyncContext(context, loop)
            run = contextvars.copy_context().run  # context variables that interceptors set are visible in the thread
            return await loop.run_in_executor(threads, run, behaviour, requests_of(request, loop), sync)

        return unary

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        loop = asyncio.get_running_loop()
        sync = SyncContext(context, loop)
        run = contextvars.copy_context().run
        messages: Iterator[Any] = iter(
            await loop.run_in_executor(threads, run, behaviour, requests_of(request, loop), sync)
        )

        def following() -> Any:
            return next(messages, _END)

        try:
            while (message := await loop.run_in_executor(threads, run, following)) is not _END:
                yield message
        finally:
            close = getattr(messages, "close", None)
            if close is not None:
                await asyncio.shield(loop.run_in_executor(threads, _close, close))

    return stream


def _close(close: Callable[[], None]) -> None:
    try:
        close()
    except ValueError:
        # "generator already executing": the call was cancelled while the thread was computing the next message.
        return


def _blocking(messages: AsyncIterator[Any], loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """Iterates a stream of requests from a thread."""

    async def following() -> Any:
        return await anext(messages, _END)

    while (message := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not _END:
        yield message
