"""Calls while they live, by every face: talking both ways at once, deadlines, and clients that go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from google.protobuf.message import Message

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.clients.connect_python import ConnectPythonSync
from tests.parity.conftest import Kitchens
from tests.parity.faces import Face, OnAnswer, each
from tests.parity.outcome import method_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE = 30.0
"""Seconds after which something that has to happen counts as missing."""
SOON = 0.3
"""A deadline in seconds that a test can wait for."""

_numbers = count(1)


@pytest.fixture
def key() -> str:
    """A name no other call has."""
    return f"life-{next(_numbers)}"


async def endless(key: str) -> AsyncIterator[Message]:
    """Two requests, and never another, nor an end."""
    for number in (1, 2):
        yield pb.TickResponse(number=number, text=key)
    await asyncio.Event().wait()


def requests_of(method: str, key: str) -> AsyncIterator[Message]:
    """What keeps a call of this method waiting."""
    if method == "Wait":
        return each(pb.WaitRequest(key=key))
    return each(pb.TickRequest(count=2, key=key)) if method == "Tick" else endless(key)


def skipped(face: Face, method: str) -> bool:
    """Whether the face has no such calls; duplex ones among them, as the client waits in the middle of its requests."""
    if isinstance(face, ConnectPythonSync):
        return True  # it has all of its requests before it begins, and nobody can take a thread's call back
    described = method_of(method)
    return not face.can(described, duplex=described.client_streaming and described.server_streaming)


async def test_a_conversation_goes_both_ways_at_once(kitchens: Kitchens, any_face: Face, key: str) -> None:
    if skipped(any_face, "Converse"):
        return
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def on_answer(answer: Message) -> None:
        assert isinstance(answer, pb.TickResponse)
        heard.put_nowait(answer.number)

    async def questions() -> AsyncIterator[Message]:
        for number in range(20):
            yield pb.TickResponse(number=number, text=key)
            assert await heard.get() == number

    async with asyncio.timeout(PATIENCE):
        outcome = await any_face.call("Converse", questions(), on_answer=on_answer)
    assert outcome.code == "OK"
    assert [answer["number"] for answer in outcome.answers] == [str(number) for number in range(20)]


@pytest.mark.parametrize("method", ["Wait", "Tick", "Sum", "Converse"])
async def test_at_the_deadline_client_and_servicer_are_told(
    kitchens: Kitchens, any_face: Face, method: str, key: str
) -> None:
    if skipped(any_face, method):
        return
    kitchen = kitchens.of(any_face.name).kitchen
    if method == "Tick":
        kitchen.steps[key].release()
    async with asyncio.timeout(PATIENCE):
        outcome = await any_face.call(method, requests_of(method, key), seconds=SOON)
        await kitchen.cancelled[key].wait()
    assert outcome.code == "DEADLINE_EXCEEDED"
    assert len(outcome.answers) == {"Tick": 1, "Converse": 2}.get(method, 0)


async def test_the_servicer_knows_the_time_left(any_face: Face) -> None:
    if not any_face.can(method_of("Inspect")):
        return
    [answer] = (await any_face.call("Inspect", each(pb.InspectRequest()), seconds=20)).answers
    assert 0 < answer["secondsLeft"] <= 20
    [answer] = (await any_face.call("Inspect", each(pb.InspectRequest()))).answers
    assert "secondsLeft" not in answer


@pytest.mark.parametrize("method", ["Wait", "Tick", "Sum", "Converse"])
async def test_a_client_that_goes_away_cancels_the_servicer(
    kitchens: Kitchens, any_face: Face, method: str, key: str
) -> None:
    if skipped(any_face, method):
        return
    kitchen = kitchens.of(any_face.name).kitchen
    answered = asyncio.Event()

    async def on_answer(answer: Message) -> None:
        answered.set()

    told: OnAnswer = on_answer
    kitchen.steps[key].release()
    async with asyncio.timeout(PATIENCE):
        call = asyncio.ensure_future(any_face.call(method, requests_of(method, key), on_answer=told))
        await (answered if method_of(method).server_streaming else kitchen.waiting[key]).wait()
        assert not call.done()
        call.cancel()
        await kitchen.cancelled[key].wait()
        assert await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()
