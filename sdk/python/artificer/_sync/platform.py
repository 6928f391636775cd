"""What differs between asyncio and threads beyond `async` and `await`. `_async/platform.py` is its counterpart."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Generic, TypeVar, cast

from .._attempt import Attempt
from .._files import File, WholeFile

T = TypeVar("T")
U = TypeVar("U")
_GOING_AWAY = 1001  # RFC 6455 section 7.4.1: the server stops, amid the call. To websockets this is a normal end.


def sleep(seconds: float) -> None:
    """Waits."""
    time.sleep(seconds)


def each(items: Iterable[T]) -> Iterator[T]:
    """Returns an iterator of the items. Raises TypeError for asynchronous ones, and for what is no iterable."""
    if isinstance(items, AsyncIterable):
        raise TypeError("asynchronous requests need AsyncArtificer")
    if not isinstance(items, Iterable):
        raise TypeError(f"requests are an iterable, not {type(items).__name__}")
    return iter(items)


def pieces(file: File) -> Iterator[bytes]:
    """Yields a file's content in pieces."""
    return file.pieces()


def whole(file: File) -> bytes:
    """Returns a file's content."""
    if isinstance(file.source, bytes):
        return file.source
    return b"".join(file.pieces())


def mapped(function: Callable[[T], U], items: Sequence[T], at_once: int, done: Callable[[int], None]) -> list[U]:
    """Returns the results of a function for all items, of which some are worked on at once. The first error ends it.

    `done` is called with the number of results after each.
    """
    with ThreadPoolExecutor(max(1, min(at_once, len(items))), "artificer") as pool:
        futures = [pool.submit(function, one) for one in items]
        try:
            for count, future in enumerate(as_completed(futures), 1):
                future.result()
                done(count)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in futures]


class Outbox(Generic[T]):
    """Requests on their way to a call; `put` waits while one is there that was not taken."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._closed = self._ended = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Adds an item. Raises ValueError after `close`, BrokenPipeError after `end`."""
        with self._changed:
            if self._closed:
                raise ValueError("no request can follow `done`")
            self._changed.wait_for(lambda: self._ended or not self._items)
            if self._ended:
                raise BrokenPipeError("the call has ended; its responses tell how")
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the iteration after the items that are there."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def end(self) -> None:
        """Ends the iteration, and every `put`: the call has ended."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed or self._ended)
            if not self._items or self._ended:
                raise StopIteration
            item = self._items.pop()
            self._changed.notify_all()
            return item


class Background:
    """A function that runs in a thread."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=run, name="artificer-requests", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waits for its end, but not for requests that the caller's iterator is slow to give."""
        if self._thread is not threading.current_thread():
            self._thread.join(0.5)


class Clock:
    """The deadline of a stream, for each wait. Its methods raise TimeoutError after it."""

    def __init__(self, attempt: Attempt) -> None:
        self._end = None if attempt.timeout is None else time.monotonic() + attempt.timeout

    def next(self, pieces: Iterator[bytes]) -> bytes | None:
        """Returns the next piece, None after the last."""
        piece = next(pieces, None)
        if self._end is not None and time.monotonic() > self._end:
            raise TimeoutError
        return piece

    def receive(self, socket: Any) -> str | None:
        """Returns the next frame of a WebSocket, None if it was closed without an error."""
        from websockets.exceptions import ConnectionClosedOK

        try:
            left = None if self._end is None else max(0.0, self._end - time.monotonic())
            return cast("str", socket.recv(timeout=left))
        except ConnectionClosedOK as closed:
            if closed.rcvd is not None and closed.rcvd.code == _GOING_AWAY:
                raise
            return None


def drop(close: Callable[[], None]) -> None:
    """Closes an answer or a call whose owner was forgotten."""
    close()


Lock = threading.Lock


def deadline(attempt: Attempt) -> contextlib.AbstractContextManager[None]:
    """Does nothing: the time-outs of the HTTP client end a call of a thread."""
    return contextlib.nullcontext()


def websocket(address: str, **arguments: Any) -> Any:
    """Opens a WebSocket."""
    from websockets.sync import client

    # `reconnect` is new in websockets 17.1; before it, no redirect was followed.
    opening: Any = getattr(client, "reconnect", client.connect)(address, **arguments)
    opening.process_redirect = _refused  # websockets follows redirects, and sends `x-api-key` to the other host
    return opening.__enter__()  # `close_websocket` is its exit


def _refused(error: Exception) -> Exception:
    return error


def close_websocket(socket: Any) -> None:
    """Closes a WebSocket; one that is closed already too."""
    socket.close()


def save(path: str | os.PathLike[str], pieces: Iterable[bytes]) -> int:
    """Writes pieces to a file that appears only when it is whole; returns the number of bytes."""
    writing = WholeFile(path)
    try:
        for piece in pieces:
            writing.write(piece)
    except BaseException:
        writing.discard()
        raise
    return writing.keep()
