"""A hedged call of asyncio, with the interface of grpc.aio's calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import grpc
import grpc.aio

from .hedging import HedgingPolicy, Start, hedged_async


class HedgedCall(grpc.aio.UnaryUnaryCall[Any, Any]):
    """A call of which several attempts may run. Answer, status and metadata are those of the attempt that counts."""

    def __init__(self, policy: HedgingPolicy, start: Start) -> None:
        self._race: asyncio.Task[Any] = asyncio.ensure_future(hedged_async(policy, start))

    async def _answer(self) -> Any:
        return await (await self._race)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._answer().__await__()

    def cancel(self) -> bool:
        return self._race.cancel()

    def cancelled(self) -> bool:
        return self._race.cancelled()

    def done(self) -> bool:
        return self._race.done()

    def time_remaining(self) -> float | None:
        return None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._race.add_done_callback(lambda _: callback(self))

    async def initial_metadata(self) -> Any:
        return await (await self._race).initial_metadata()

    async def trailing_metadata(self) -> Any:
        return await (await self._race).trailing_metadata()

    async def code(self) -> grpc.StatusCode:
        try:
            code: grpc.StatusCode = await (await asyncio.shield(self._race)).code()
        except asyncio.CancelledError:
            if not self._race.cancelled():
                raise
            return grpc.StatusCode.CANCELLED
        return code

    async def details(self) -> str:
        details: str = await (await self._race).details()
        return details

    async def wait_for_connection(self) -> None:
        await asyncio.shield(self._race)
