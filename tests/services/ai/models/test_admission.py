"""Who runs, who waits, and who is refused."""

from __future__ import annotations

import asyncio

import pytest

from artificer_services.ai.models.admission import Admission
from artificer_services.ai.models.errors import Busy
from tests.waiting import until_here


class Request:
    """A request that holds its place until it is released."""

    def __init__(self, admission: Admission, caller: str, order: list[str] | None = None) -> None:
        self.release = asyncio.Event()
        self.runs = asyncio.Event()
        self._order = [] if order is None else order
        self.task = asyncio.create_task(self._run(admission, caller))

    async def _run(self, admission: Admission, caller: str) -> None:
        async with admission.admit(caller):
            self._order.append(caller)
            self.runs.set()
            await self.release.wait()


async def test_more_than_run_and_wait_are_refused_with_the_time_to_retry() -> None:
    admission = Admission("m", concurrency=1, queue=1, queue_seconds=60)
    first, second = Request(admission, "a"), Request(admission, "a")
    await until_here(lambda: admission.waiting == 1)
    with pytest.raises(Busy, match="1 requests are running and 1 waiting") as caught:
        async with admission.admit("b"):
            pass
    assert caught.value.retry_seconds
    first.release.set()
    await second.runs.wait()
    assert (admission.running, admission.waiting) == (1, 0)
    second.release.set()
    await asyncio.gather(first.task, second.task)
    assert admission.running == 0


async def test_a_wait_that_is_too_long_is_refused_and_leaves_the_queue() -> None:
    admission = Admission("m", concurrency=1, queue=9, queue_seconds=0.001)
    first = Request(admission, "a")
    await first.runs.wait()
    with pytest.raises(Busy, match="waited"):
        async with admission.admit("b"):
            pass
    assert (admission.running, admission.waiting) == (1, 0)
    first.release.set()
    await first.task


async def test_a_waiter_who_leaves_frees_its_place() -> None:
    admission = Admission("m", concurrency=1, queue=1, queue_seconds=60)
    first, second = Request(admission, "a"), Request(admission, "b")
    await until_here(lambda: admission.waiting == 1)
    second.task.cancel()
    await asyncio.wait({second.task})
    assert admission.waiting == 0
    third = Request(admission, "c")
    await until_here(lambda: admission.waiting == 1)
    first.release.set()
    third.release.set()
    await asyncio.gather(first.task, third.task)
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_place_that_was_given_to_a_waiter_who_leaves_goes_to_the_next() -> None:
    admission = Admission("m", concurrency=1, queue=9, queue_seconds=60)
    first, second, third = (Request(admission, caller) for caller in "abc")
    await until_here(lambda: admission.waiting == 2)
    first.release.set()
    await first.task  # the place is the second's now, which has not run yet
    second.task.cancel()
    third.release.set()
    await asyncio.wait({second.task, third.task})
    assert third.task.exception() is None
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_waiter_who_leaves_when_a_place_becomes_free_leaves_without_an_error() -> None:
    admission = Admission("m", concurrency=1, queue=9, queue_seconds=60)
    first, second, third, fourth = (Request(admission, "a") for _ in range(4))
    await until_here(lambda: admission.waiting == 3)
    first.task.cancel()  # runs first, and finds the place of the second in the queue
    second.task.cancel()
    await asyncio.wait({first.task, second.task})
    assert second.task.cancelled()
    third.release.set()
    fourth.release.set()
    await asyncio.gather(third.task, fourth.task)
    assert (admission.running, admission.waiting) == (0, 0)


async def test_callers_take_turns() -> None:
    admission, order = Admission("m", concurrency=1, queue=9, queue_seconds=60), list[str]()
    requests = [Request(admission, caller, order) for caller in ("a", "a", "a", "a", "b", "c")]
    await until_here(lambda: admission.waiting == 5)
    for request in requests:
        request.release.set()
    await asyncio.gather(*(request.task for request in requests))
    assert order == ["a", "a", "b", "c", "a", "a"]
