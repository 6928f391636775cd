"""Running calls by every face: full duplex, deadlines, and clients that disconnect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from google.protobuf.message import Message

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.kitchen import Kitchen
from tests.parity.conftest import Kitchens, faces
from tests.parity.faces import Face, each
from tests.parity.outcome import Outcome, method_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE = 30.0
"""Seconds after which an expected event counts as missing."""
SOON = 0.5
"""A deadline in seconds: short enough to wait for, long enough for most calls to reach their servicers."""

live = pytest.mark.parametrize("any_face", faces(lambda door: door.live), indirect=True)
unary = pytest.mark.parametrize("any_face", faces(lambda door: door.unary), indirect=True)
duplex = pytest.mark.parametrize("any_face", faces(lambda door: door.duplex), indirect=True)

_numbers = count(1)


def new_key() -> str:
    """Returns a unique name for a call."""
    return f"life-{next(_numbers)}"


async def endless(key: str) -> AsyncIterator[Message]:
    """Yields two requests and then waits without an end."""
    for number in (1, 2):
        yield pb.TickResponse(number=number, text=key)
    await asyncio.Event().wait()


def waiting_methods(face: Face) -> list[str]:
    """Yields one method of each kind that the face supports; a conversation waits in the middle of both streams."""
    methods = ("Wait", "Tick", "Sum", "Converse")
    return [name for name in methods if face.can(method_of(name), duplex=name == "Converse")]


def requests_of(method: str, key: str) -> AsyncIterator[Message]:
    """Returns the requests with which a call of this method waits."""
    if method == "Wait":
        return each(pb.WaitRequest(key=key))
    return each(pb.TickRequest(count=2, key=key)) if method == "Tick" else endless(key)


@duplex
async def test_a_conversation_goes_both_ways_at_once(any_face: Face) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def on_answer(answer: Message) -> None:
        assert isinstance(answer, pb.TickResponse)
        heard.put_nowait(answer.number)

    async def questions() -> AsyncIterator[Message]:
        for number in range(20):
            yield pb.TickResponse(number=number)
            assert await heard.get() == number

    async with asyncio.timeout(PATIENCE):
        outcome = await any_face.call("Converse", questions(), on_answer=on_answer)
    assert outcome.code == "OK"
    assert [answer["number"] for answer in outcome.answers] == [str(number) for number in range(20)]


@live
async def test_the_deadline_reaches_client_and_servicer(kitchens: Kitchens, any_face: Face) -> None:
    kitchen = kitchens.of(any_face.name).kitchen

    async def late(method: str) -> Outcome:
        for seconds in (SOON * 2**times for times in count()):
            key = new_key()
            kitchen.steps[key].release()
            outcome = await any_face.call(method, requests_of(method, key), seconds=seconds)
            if kitchen.waiting[key].is_set():  # otherwise the machine took longer than the deadline to start it
                await kitchen.cancelled[key].wait()
                return outcome
        raise AssertionError

    methods = waiting_methods(any_face)
    async with asyncio.timeout(PATIENCE):
        outcomes = await asyncio.gather(*map(late, methods))
    assert {method: outcome.code for method, outcome in zip(methods, outcomes, strict=True)} == dict.fromkeys(
        methods, "DEADLINE_EXCEEDED"
    )


@unary
async def test_the_servicer_knows_the_time_left(any_face: Face) -> None:
    [answer] = (await any_face.call("Inspect", each(pb.InspectRequest()), seconds=20)).answers
    assert 0 < answer["secondsLeft"] < 21  # gRPC's client rounds deadlines up
    [answer] = (await any_face.call("Inspect", each(pb.InspectRequest()))).answers
    assert "secondsLeft" not in answer


@live
async def test_a_client_that_disconnects_cancels_the_servicer(kitchens: Kitchens, any_face: Face) -> None:
    kitchen = kitchens.of(any_face.name).kitchen
    methods = waiting_methods(any_face)
    assert methods
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(_go_away(any_face, kitchen, method) for method in methods))


async def _go_away(face: Face, kitchen: Kitchen, method: str) -> None:
    key, answered = new_key(), asyncio.Event()

    async def on_answer(answer: Message) -> None:
        answered.set()

    kitchen.steps[key].release()
    call = asyncio.ensure_future(face.call(method, requests_of(method, key), on_answer=on_answer))
    await (answered if method_of(method).server_streaming else kitchen.waiting[key]).wait()
    assert not call.done()
    call.cancel()
    await kitchen.cancelled[key].wait()
    await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()
