"""Enters and leaves a lifespan in one task.

The caller that enters is rarely the one that leaves, but task groups and cancel scopes in a lifespan must end in the
task that began them. It knows no application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any


class LifespanTask:
    """Holds one entered context manager."""

    def __init__(self, manager: AbstractAsyncContextManager[Any]) -> None:
        loop = asyncio.get_running_loop()
        self._entered: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        self._over = asyncio.Event()
        self._task = loop.create_task(self._live(manager))

    async def _live(self, manager: AbstractAsyncContextManager[Any]) -> None:
        try:
            async with manager as state:
                if not self._entered.done():
                    self._entered.set_result(state or {})
                await self._over.wait()
        except BaseException as wrong:
            if self._entered.done():
                raise
            self._entered.set_exception(wrong)

    async def enter(self) -> Mapping[str, Any]:
        """Returns the state that the manager yields, for requests. Raises what the manager raises."""
        try:
            return await self._entered
        except asyncio.CancelledError:
            self._task.cancel()
            raise

    async def leave(self) -> None:
        """Leaves the manager. Raises what it raises."""
        self._over.set()
        await self._task
