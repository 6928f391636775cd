"""A raw HTTP/1.1 server that misbehaves as told: the n-th request gets the n-th answer, later ones the last."""

from __future__ import annotations

import asyncio
import contextlib
import json as js
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from tests.waiting import PATIENCE


@dataclass
class Request:
    """A request as it arrived; the body is empty for answers that do not read it."""

    verb: str
    path: str
    headers: dict[str, str]
    connection: int  # counted from 0
    body: bytes = b""


@dataclass
class Exchange:
    """A request whose answer is being written."""

    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_body(self) -> None:
        """Reads the body, by its length or by chunks."""
        if "content-length" in self.request.headers:
            self.request.body = await self.reader.readexactly(int(self.request.headers["content-length"]))
        elif "transfer-encoding" in self.request.headers:
            while size := int((await self.reader.readline()).strip(), 16):
                self.request.body += await self.reader.readexactly(size)
                await self.reader.readline()
            await self.reader.readline()

    async def send(self, data: bytes) -> None:
        """Writes bytes, also to a client that has left."""
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()


Answer = Callable[[Exchange], Awaitable[bool]]
"""Writes an answer; returns whether the connection stays open."""


def head(status: int, **headers: str) -> bytes:
    """Returns the head of an answer; underscores of names are hyphens."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join((*lines, "", "")).encode()


def whole(status: int, body: bytes = b"", *, keep: bool = True, **headers: str) -> Answer:
    """Reads the request and answers it."""

    async def answer(exchange: Exchange) -> bool:
        await exchange.read_body()
        await exchange.send(head(status, content_length=str(len(body)), **headers) + body)
        return keep

    return answer


def json(status: int, body: bytes, *, keep: bool = True, **headers: str) -> Answer:
    """Answers JSON."""
    return whole(status, body, keep=keep, content_type="application/json", **headers)


BUSY = {"code": 503, "status": "UNAVAILABLE", "message": "busy", "details": []}


def unavailable(**headers: str) -> Answer:
    """Answers 503 in the gateway's form."""
    return json(503, js.dumps({"error": BUSY}).encode(), keep=True, **headers)


async def hang_up(exchange: Exchange) -> bool:
    """Reads the request and closes the connection without an answer."""
    await exchange.read_body()
    return False


async def stall(exchange: Exchange) -> bool:
    """Reads the request and says nothing until the client leaves."""
    await exchange.read_body()
    await exchange.reader.read()
    return False


def partly(sent: bytes, then: Callable[[Exchange], Awaitable[bool]]) -> Answer:
    """Reads the request, sends some bytes, and goes on with another answer."""

    async def answer(exchange: Exchange) -> bool:
        await exchange.read_body()
        exchange.request.headers.pop("content-length", None)
        exchange.request.headers.pop("transfer-encoding", None)
        await exchange.send(sent)
        return await then(exchange)

    return answer


def unread(status: int, body: bytes, **headers: str) -> Answer:
    """Answers before the body was read, and closes the connection once the client has stopped sending."""

    async def answer(exchange: Exchange) -> bool:
        await exchange.send(head(status, content_length=str(len(body)), connection="close", **headers) + body)
        exchange.writer.write_eof()
        while await exchange.reader.read(65536):
            pass
        return False

    return answer


@dataclass
class RudeServer:
    """The server's address and the requests that arrived. `open` counts its connections."""

    url: str
    requests: list[Request] = field(default_factory=list)
    open: int = 0


@contextlib.contextmanager
def rude_server(*answers: Answer) -> Iterator[RudeServer]:
    """Runs the server in a thread."""
    loop = asyncio.new_event_loop()
    found, tasks = RudeServer(""), set[asyncio.Task[None]]()
    connections = iter(range(1_000_000))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        found.open += 1
        number = next(connections)
        try:
            while (request := await _request(reader, number)) is not None:
                answer = answers[min(len(found.requests), len(answers) - 1)]
                found.requests.append(request)
                if not await answer(Exchange(request, reader, writer)):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            found.open -= 1
            tasks.discard(task)
            writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        for listening in server.sockets:
            loop.remove_reader(listening)
        for _ in range(5):  # turns of the loop: asyncio loses a connection that it accepted just before `close`
            await asyncio.sleep(0)
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        server.close()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(start(), loop).result(PATIENCE)
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield found
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    first = (await reader.readline()).decode("latin-1").split()
    if not first:
        return None
    headers = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Request(first[0], first[1], headers, connection)
