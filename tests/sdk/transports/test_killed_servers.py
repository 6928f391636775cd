"""What both transports do when the server is killed in the middle of streams and uploads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from artificer import Artificer, AsyncArtificer
from artificer.errors import APIConnectionError, APIError, UnavailableError
from artificer.types.chat import Message
from tests.sdk.transports.driver import driver
from tests.sdk.transports.killing import Program

every_way = pytest.mark.parametrize(
    ("transport", "mode"), [("rest", "sync"), ("rest", "async"), ("grpc", "sync"), ("grpc", "async")]
)
both = pytest.mark.parametrize("transport", ["rest", "grpc"])


@pytest.fixture(scope="module")
def running() -> Iterator[Program]:
    """A server that no test kills."""
    with Program(last=5) as program:
        yield program


@every_way
def test_a_stream_goes_on_after_a_restart(transport: str, mode: str) -> None:
    """The server is killed and comes back on the same port: no message is missing or comes twice."""
    found = []
    with Program(last=5) as program, driver(mode, **program.options(transport)) as client:
        for message in client.each(lambda one: one.channels.messages.stream("lobby")):
            found.append(message.id)
            if message.id == "5":
                program.kill()
                program.start(10)
    assert found == [str(number) for number in range(1, 11)]


@every_way
def test_a_stream_without_retries_raises(transport: str, mode: str) -> None:
    """`max_retries=0` turns resuming off."""
    found: list[str] = []
    with Program(last=5) as program, driver(mode, max_retries=0, **program.options(transport)) as client:
        stream = client.each(lambda one: one.channels.messages.stream("lobby"))
        found.extend(next(stream).id for _ in range(5))
        program.kill()
        with pytest.raises(UnavailableError):
            next(stream)
    assert found == ["1", "2", "3", "4", "5"]


@every_way
def test_a_server_killed_amid_an_upload(transport: str, mode: str) -> None:
    """The upload fails, and is not sent again: pieces cannot be read twice, and the server may have stored them."""
    with Program() as program, driver(mode, **program.options(transport)) as client:

        def pieces() -> Iterator[bytes]:
            for number in range(40):
                yield b"x" * 1_000_000
                if number == 3:
                    program.kill()

        with pytest.raises(APIError) as raised:
            client.do(lambda one: one.batch.blobs.upload(pieces()))
    assert raised.value.code in {"UNAVAILABLE", "UNKNOWN"}


@every_way
def test_a_server_killed_amid_a_bidirectional_call(transport: str, mode: str) -> None:
    """Responses raise, and no further request is taken."""
    with Program() as program, driver(mode, **program.options(transport)) as client:
        call = client.each(lambda one: one.channels.messages.chat("lobby", [{"content": "a"}, *_more()]))
        assert next(call).message.id == "a"
        program.kill()
        with pytest.raises(UnavailableError):
            list(call)


def _more() -> list[dict[str, Any]]:
    return [{"content": "b" * 100_000}] * 200


@every_way
def test_a_failing_iterator_of_requests(running: Program, transport: str, mode: str) -> None:
    """Its exception is raised as it is, and ends the call."""

    def requests() -> Iterator[Any]:
        yield {"content": "a"}
        raise LookupError("no more")

    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise LookupError("no more")

    with driver(mode, **running.options(transport)) as client:
        with pytest.raises(LookupError, match="no more"):
            client.collect(lambda one: one.channels.messages.chat("lobby", requests()))
        with pytest.raises(LookupError, match="no more"):
            client.do(lambda one: one.batch.blobs.upload(pieces()))


@both
def test_sending_while_receiving(running: Program, transport: str) -> None:
    """Each response arrives before the next request is sent; `done` ends the call."""
    with (
        Artificer(**running.options(transport)) as client,
        client.channels.messages.chat("lobby") as call,
    ):
        for word in ("one", "two", "three"):
            call.send({"content": word})
            assert next(call).message == Message(id=word)
        call.done()
        assert list(call) == []
        with pytest.raises(ValueError, match="done"):
            call.send({"content": "four"})


@both
async def test_sending_while_receiving_by_asyncio(running: Program, transport: str) -> None:
    """The same for asyncio."""
    async with (
        AsyncArtificer(**running.options(transport)) as client,
        client.channels.messages.chat("lobby") as call,
    ):
        for word in ("one", "two", "three"):
            await call.send({"content": word})
            assert (await anext(call)).message == Message(id=word)
        await call.done()
        assert [response async for response in call] == []


@both
def test_a_call_that_ended_takes_no_requests(transport: str) -> None:
    """A sender does not wait for ever for a server that is gone."""
    with (
        Program() as program,
        Artificer(**program.options(transport)) as client,
        client.channels.messages.chat("lobby") as call,
    ):
        call.send({"content": "a"})
        next(call)
        program.kill()
        with pytest.raises(APIConnectionError):
            next(call)
        with pytest.raises(BrokenPipeError):
            call.send({"content": "b"})


@both
async def test_a_cancelled_task_ends_its_call(running: Program, transport: str) -> None:
    """The stream is closed by the cancellation; the client is usable after it."""
    async with AsyncArtificer(**running.options(transport)) as client:
        reached = asyncio.Event()

        async def read() -> None:
            async for message in client.channels.messages.stream("lobby"):
                if message.id == "5":
                    reached.set()

        task = asyncio.create_task(read())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        blob = await client.batch.blobs.upload(b"abc")
        assert blob.size == 3


@both
def test_a_closed_stream_has_ended(running: Program, transport: str) -> None:
    """It does not begin again."""
    with Artificer(**running.options(transport)) as client:
        stream = client.channels.messages.stream("lobby")
        assert next(stream).id == "1"
        stream.close()
        assert list(stream) == []
