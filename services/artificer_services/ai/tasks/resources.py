"""The models and collections of one task in one worker process: made when the first item needs them, closed at the end.

Owns the event loop in which they live. Knows no task.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ...kit.errors import ServiceError
from ...kit.task_types import TaskLoop
from .failures import not_done

if TYPE_CHECKING:
    from ..library.library import Library
    from ..models.catalog import Models
    from ..reading.values import Reader
    from ..settings import AiSettings

R = TypeVar("R")

OpenReaders = Callable[[], "AbstractAsyncContextManager[Sequence[Reader]]"]
"""Starts readers of documents, and ends their processes on leaving."""


@asynccontextmanager
async def no_readers() -> AsyncIterator[Sequence[Reader]]:
    """Gives no reader, for tasks that add no document."""
    yield ()


class Resources:
    """What a task works with. Nothing is started before an item needs it."""

    def __init__(self, settings: AiSettings, open_readers: OpenReaders = no_readers) -> None:
        self.settings = settings
        self._open_readers = open_readers
        self._loop = TaskLoop()
        self._stack = AsyncExitStack()
        self._models: Models | None = None
        self._library: Library | None = None

    def run(self, work: Coroutine[Any, Any, R], cancelled: threading.Event) -> R:
        """Returns the result of `work`, which is cancelled, and with it its model, once the job is. Raises NotDone."""
        try:
            return self._loop.run(work, cancelled)
        except ServiceError as error:
            raise not_done(error) from error

    async def models(self) -> Models:
        """Returns the configured models."""
        if self._models is None:
            from ..models.catalog import Models

            models = Models(self.settings)
            await models.start()
            self._stack.push_async_callback(models.stop)
            self._models = models
        return self._models

    async def library(self) -> Library:
        """Returns the collections. Raises Unavailable while their database is unreachable."""
        if self._library is None:
            from ..library.build import library_of

            models, settings = await self.models(), self.settings
            async with AsyncExitStack() as opened:  # closed unless all of it can be opened
                readers = await opened.enter_async_context(self._open_readers())
                library = library_of(
                    settings.library, models, readers, data_dir=settings.data_dir, database_url=settings.database_url
                )
                opened.push_async_callback(library.stop)
                await library.start()
                self._stack.push_async_callback(opened.pop_all().aclose)
            self._library = library
        return self._library

    def close(self) -> None:
        """End the processes and connections of models and readers, close the database and the event loop."""
        self._loop.close(self._stop)

    async def _stop(self) -> None:
        self._models = self._library = None
        await self._stack.aclose()
