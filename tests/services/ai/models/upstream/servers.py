"""A server with OpenAI's protocol whose answers a test writes byte by byte, so that they can be wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson


class Request:
    """One request, and the connection to answer it."""

    def __init__(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.path = head.split(b" ", 2)[1].decode()
        self.headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        self.body: dict[str, Any] = orjson.loads(body)
        self._writer = writer

    async def answer(self, status: int, body: bytes | Any, **headers: str) -> None:
        """Answer with a whole body: bytes, or JSON of a value."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        await self.write(
            head(status, **{"content-type": "application/json", "content-length": str(len(data)), **headers})
        )
        await self.write(data)

    async def events(self, *events: bytes | Any, end: bool = True) -> None:
        """Answer with Server-Sent Events, each in a chunk of its own: bytes as they are, or JSON of a value."""
        await self.write(head(200, **{"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        for event in events:
            await self.event(event)
        if end:
            await self.write(b"0\r\n\r\n")

    async def event(self, event: bytes | Any) -> None:
        """Send one more event."""
        data = event if isinstance(event, bytes) else b"data: " + orjson.dumps(event) + b"\n\n"
        await self.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        await self._writer.drain()

    def cut(self) -> None:
        """Close the connection in the middle of the answer."""
        self._writer.close()


class Server:
    """What the server has seen. `left` is set when a client closes a connection whose request was not answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.connections = 0
        self.left = asyncio.Event()


Answer = Callable[[Request], Awaitable[None]]


@asynccontextmanager
async def serve(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve each request by the next answer; the last one serves all further ones."""
    tasks: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while True:
                start = await reader.readuntil(b"\r\n\r\n")
                size = next(line for line in start.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                request = Request(start, await reader.readexactly(int(size[15:])), writer)
                server.requests.append(request)
                answering = asyncio.create_task(_answered(answers, len(server.requests), request))
                gone = asyncio.create_task(reader.read(1))
                tasks.update((answering, gone))
                await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    server.left.set()
                    answering.cancel()
                    return
                answering.result()
                if writer.is_closing() or gone.done():
                    return
                gone.cancel()
                await asyncio.wait((gone,))
        except asyncio.IncompleteReadError:
            pass
        except (ConnectionError, ssl.SSLError):
            server.left.set()
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server = Server(f"{'https' if tls else 'http'}://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1")
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answered(answers: tuple[Answer, ...], number: int, request: Request) -> None:
    await answers[min(number, len(answers)) - 1](request)


def head(status: int, **headers: str) -> bytes:
    """Returns the head of a response."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode()


def text(content: str, finish: str | None = None) -> dict[str, Any]:
    """Returns a chunk with a piece of text."""
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
DONE = b"data: [DONE]\n\n"


async def hello(request: Request) -> None:
    """Answer as a server should."""
    await request.events(text("Hel"), text("lo"), END, USAGE, DONE)
