"""Uses both clients, of threads and of asyncio, by the same functions, so that a test is written once."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

from artificer import Artificer, AsyncArtificer
from tests.waiting import PATIENCE


class Driver:
    """A client; `do` calls it and returns what it returns, whether that must be awaited or not."""

    def __init__(self, client: Any, loop: asyncio.AbstractEventLoop | None) -> None:
        self._client, self._loop = client, loop

    def do(self, use: Callable[[Any], Any]) -> Any:
        """Returns what `use` returns for the client."""
        return self._finished(use(self._client)) if self._loop is None else self._run(self._awaited(use))

    def collect(self, use: Callable[[Any], Any], most: int | None = None) -> list[Any]:
        """Returns the responses of a stream, which is closed after `most`."""
        found: list[Any] = []
        for each in self.each(use):
            found.append(each)
            if len(found) == most:
                break
        return found

    def each(self, use: Callable[[Any], Any]) -> Iterator[Any]:
        """Yields the responses of a stream, which is closed with the iterator."""
        if self._loop is None:
            with use(self._client) as stream:
                yield from stream
            return
        stream = self._run(self._entered(use))
        try:
            while (item := self._run(self._next(stream))) is not _END:
                yield item
        finally:
            self._run(stream.aclose())

    def _run(self, work: Any) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _finished(self, value: Any) -> Any:
        return value

    async def _awaited(self, use: Callable[[Any], Any]) -> Any:
        made = use(self._client)
        return await made if inspect.isawaitable(made) else made

    async def _entered(self, use: Callable[[Any], Any]) -> Any:
        stream = use(self._client)
        await stream.__aenter__()
        return stream

    async def _next(self, stream: Any) -> Any:
        try:
            return await anext(stream)
        except StopAsyncIteration:
            return _END


_END = object()


@contextlib.contextmanager
def driver(mode: str, **options: Any) -> Iterator[Driver]:
    """Makes the client of threads ("sync") or of asyncio ("async"), whose loop runs in a thread."""
    if mode == "sync":
        with Artificer(**options) as client:
            yield Driver(client, None)
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        made = Driver(None, loop)
        made._client = made._run(_made(options))
        yield made
        made._run(made._client.aclose())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _made(options: dict[str, Any]) -> AsyncArtificer:
    return AsyncArtificer(**options)
