"""What differs between asyncio and threads beyond `async` and `await`. `_sync/platform.py` is its counterpart."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Generic, TypeVar, cast

from .._attempt import Attempt
from .._files import File, WholeFile, piece_of

T = TypeVar("T")
U = TypeVar("U")
_GOING_AWAY = 1001  # RFC 6455 section 7.4.1: the server stops, amid the call. To websockets this is a normal end.


async def sleep(seconds: float) -> None:
    """Waits."""
    await asyncio.sleep(seconds)


def each(items: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
    """Returns an iterator of the items of an iterable of either kind. Raises TypeError for what is none."""
    if isinstance(items, AsyncIterable):
        return aiter(items)
    if isinstance(items, Iterable):
        return _each(items)
    raise TypeError(f"requests are an iterable, not {type(items).__name__}")


async def _each(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


async def pieces(file: File) -> AsyncIterator[bytes]:
    """Yields a file's content in pieces; reads paths and files in a thread."""
    if isinstance(file.source, AsyncIterable):
        async for piece in file.source:
            yield piece_of(piece)
    elif isinstance(file.source, bytes) or not (isinstance(file.source, str) or hasattr(file.source, "read")):
        for piece in file.pieces():
            yield piece
    else:
        read = file.pieces()
        while piece := await asyncio.to_thread(next, read, b""):
            yield piece


async def whole(file: File) -> bytes:
    """Returns a file's content."""
    if isinstance(file.source, bytes):
        return file.source
    return b"".join([piece async for piece in pieces(file)])


async def mapped(
    function: Callable[[T], Awaitable[U]], items: Sequence[T], at_once: int, done: Callable[[int], None]
) -> list[U]:
    """Returns the results of a function for all items, of which some are worked on at once. The first error ends it.

    `done` is called with the number of results after each.
    """
    waiting = iter(enumerate(items))
    found: dict[int, U] = {}

    async def work() -> None:
        for number, one in waiting:
            found[number] = await function(one)
            done(len(found))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(items))):
                group.create_task(work())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [found[number] for number in range(len(items))]


class Outbox(Generic[T]):
    """Requests on their way to a call; `put` waits while one is there that was not taken."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._closed = self._ended = False
        self._changed = asyncio.Event()

    async def put(self, item: T) -> None:
        """Adds an item. Raises ValueError after `close`, BrokenPipeError after `end`."""
        if self._closed:
            raise ValueError("no request can follow `done`")
        while self._items and not self._ended:
            await self._wait()
        if self._ended:
            raise BrokenPipeError("the call has ended; its responses tell how")
        self._items.append(item)
        self._changed.set()

    async def close(self) -> None:
        """Ends the iteration after the items that are there."""
        self._closed = True
        self._changed.set()

    def end(self) -> None:
        """Ends the iteration, and every `put`: the call has ended."""
        self._ended = True
        self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not (self._items or self._closed or self._ended):
            await self._wait()
        if not self._items or self._ended:
            raise StopAsyncIteration
        item = self._items.pop()
        self._changed.set()
        return item


class Background:
    """A coroutine that runs beside."""

    def __init__(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._task = asyncio.create_task(run())

    async def stop(self) -> None:
        """Cancels it, and waits for its end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Clock:
    """The deadline of a stream, for each wait. Its methods raise TimeoutError after it."""

    def __init__(self, attempt: Attempt) -> None:
        self._end = None if attempt.timeout is None else time.monotonic() + attempt.timeout

    async def next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        """Returns the next piece, None after the last."""
        if self._end is None:
            return await anext(pieces, None)
        async with asyncio.timeout_at(self._end):  # a loop's clock is time.monotonic
            return await anext(pieces, None)

    async def receive(self, socket: Any) -> str | None:
        """Returns the next frame of a WebSocket, None if it was closed without an error."""
        from websockets.exceptions import ConnectionClosedOK

        try:
            async with asyncio.timeout_at(self._end):
                return cast("str", await socket.recv())
        except ConnectionClosedOK as closed:
            if closed.rcvd is not None and closed.rcvd.code == _GOING_AWAY:
                raise
            return None


def drop(close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Closes an answer or a call whose owner was forgotten, in the running event loop if there is one."""
    try:
        task = asyncio.get_running_loop().create_task(close())
    except RuntimeError:
        return
    _CLOSING.add(task)
    task.add_done_callback(_CLOSING.discard)


_CLOSING: set[asyncio.Task[None]] = set()
Lock = asyncio.Lock


def deadline(attempt: Attempt) -> asyncio.Timeout:
    """Raises TimeoutError in the block when the attempt's time is up."""
    return asyncio.timeout(attempt.timeout)


async def websocket(address: str, **arguments: Any) -> Any:
    """Opens a WebSocket."""
    from websockets.asyncio.client import connect

    opening: Any = connect(address, **arguments)
    opening.process_redirect = _refused  # websockets follows redirects, and sends `x-api-key` to the other host
    return await opening


def _refused(error: Exception) -> Exception:
    return error


async def close_websocket(socket: Any) -> None:
    """Closes a WebSocket; one that is closed already too."""
    await socket.close()


async def save(path: str | os.PathLike[str], pieces: AsyncIterable[bytes]) -> int:
    """Writes pieces to a file that appears only when it is whole; returns the number of bytes."""
    writing = WholeFile(path)
    try:
        async for piece in pieces:
            await asyncio.to_thread(writing.write, piece)
    except BaseException:
        writing.discard()
        raise
    return writing.keep()
