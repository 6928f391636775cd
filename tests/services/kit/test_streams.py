"""A worker process that serves many requests at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from artificer_services.kit.workers.child import Ended, Program
from artificer_services.kit.workers.streams import StreamProcess
from tests.waiting import until_here, until_told

PROGRAM = Program("tests", "tests.services.kit.streamer", scratch=True)


@asynccontextmanager
async def started() -> AsyncIterator[StreamProcess]:
    process = await StreamProcess.start(PROGRAM, {}, 60)
    try:
        yield process
    finally:
        process.kill()
        await process.wait_closed()


async def parts_of(process: StreamProcess, **request: Any) -> list[dict[str, Any]]:
    async with aclosing(process.request(request)) as batches:
        return [part async for batch in batches for part in batch]


async def test_requests_at_once_get_their_own_parts_in_order() -> None:
    async with started() as process:
        assert process.greeting["version"] == "1"
        answers = await asyncio.gather(*(parts_of(process, count=200, echo=str(one)) for one in range(5)))
        for one, parts in enumerate(answers):
            assert parts == [{"number": number, "echo": str(one)} for number in range(200)]
        assert process.running == 0


async def test_a_request_of_a_megabyte_and_one_without_an_answer_go_through() -> None:
    async with started() as process:
        (part,) = await parts_of(process, count=1, echo="ä" * (1 << 19))
        assert len(part["echo"]) == 1 << 19
        assert await parts_of(process) == []


async def test_a_closed_request_is_cancelled_in_the_process() -> None:
    async with started() as process:
        async with aclosing(process.request({"count": 1, "then": "wait"})) as batches:
            assert len(await anext(batches)) == 1

        async def left() -> bool:
            return await parts_of(process, then="tell") == [{"left": 1}]

        await until_told(left)
        assert process.running == 0


async def test_an_error_is_the_last_part() -> None:
    async with started() as process:
        (part,) = await parts_of(process, then="refuse")
        assert part["error"]["message"] == "not this one"
        (part,) = await parts_of(process, then="fail")
        assert "RuntimeError: a bug" in part["error"]["message"]


async def test_a_process_that_dies_fails_all_its_requests() -> None:
    async with started() as process:
        waiting = process.request({"count": 1, "then": "wait"})
        await anext(waiting)
        with pytest.raises(Ended) as silent:
            await parts_of(process, then="die")
        assert (silent.value.began, silent.value.status) == (False, 3)
        with pytest.raises(Ended) as begun:
            await anext(waiting)
        assert begun.value.began
        with pytest.raises(Ended):
            await parts_of(process, count=1)


async def test_a_process_is_killed_if_it_does_not_end_a_cancelled_request() -> None:
    async with started() as process:
        process.cancel_seconds = 0.01
        waiting = process.request({"count": 1, "then": "wait"})
        await anext(waiting)
        async with aclosing(process.request({"count": 1, "then": "stay"})) as batches:
            await anext(batches)
        with pytest.raises(Ended):
            await anext(waiting)
        assert process.status == -signal.SIGKILL
        assert process.cancelling == 0


async def test_a_process_that_ends_a_cancelled_request_goes_on() -> None:
    async with started() as process:
        async with aclosing(process.request({"count": 1, "then": "wait"})) as batches:
            await anext(batches)
        assert process.cancelling == 1
        await until_here(lambda: not process.cancelling)
        assert await parts_of(process, count=1)


async def test_nothing_stays_open() -> None:
    async with started():
        pass  # what asyncio opens once
    before = os.listdir("/proc/self/fd")
    async with started() as process:
        await parts_of(process, count=3)
    assert len(os.listdir("/proc/self/fd")) <= len(before)
