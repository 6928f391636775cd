"""Repeated work: it begins at once, outlives its errors, is poked, and ends."""

from __future__ import annotations

import asyncio

from artificer_services.kit.errors import Unavailable
from artificer_services.kit.periodic import Periodic

HOUR = 3600.0


async def test_errors_do_not_end_it_and_a_poke_runs_it_early() -> None:
    calls: asyncio.Queue[int] = asyncio.Queue()
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        calls.put_nowait(count)
        if count == 1:
            raise Unavailable("away")
        if count == 2:
            raise RuntimeError("a defect")

    periodic = Periodic("test", work, HOUR)
    periodic.start()
    async with asyncio.timeout(60):
        for expected in (1, 2, 3):
            assert await calls.get() == expected
            periodic.poke()
    await periodic.stop()


async def test_it_repeats_and_can_be_stopped_during_a_call() -> None:
    begun, count = asyncio.Event(), 0

    async def work() -> None:
        nonlocal count
        count += 1
        if count == 3:
            begun.set()
            await asyncio.Event().wait()

    periodic = Periodic("test", work, 0.001)
    periodic.start()
    async with asyncio.timeout(60):
        await begun.wait()
        await periodic.stop()
    assert count == 3
