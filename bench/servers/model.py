"""A language model's server with OpenAI's protocol that only writes: each answer has the same tokens, at once.

Each event is a chunk of HTTP of its own, as servers of real models send them. With 0 tokens an answer has no end, and
the server prints the time at which it sees that the client has left.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from bench.servers.listen import HOST, announce

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _answer(tokens: int) -> bytes:
    about = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1795000000, "model": "relayed"}
    events = [
        _event({**about, "choices": [_choice({"content": f" token{number % 1000}"})]}) for number in range(tokens)
    ]
    events.append(_event({**about, "choices": [_choice({}, "stop")]}))
    usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": tokens + 9}
    events += [_event({**about, "choices": [], "usage": usage}), b"data: [DONE]\n\n"]
    return _HEAD + b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


async def _until_left(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    event = _event({"choices": [_choice({"content": " token"})]})
    writer.write(_HEAD + b"%x\r\n%s\r\n" % (len(event), event))
    await reader.read()
    announce(left=time.monotonic())


def _choice(delta: dict[str, str], finish: str | None = None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _event(chunk: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def _serve(tokens: int) -> None:
    answer = _answer(tokens)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(size[15:]))
                if tokens:
                    writer.write(answer)
                    await writer.drain()
                else:
                    await _until_left(reader, writer)
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, HOST, 0)
    announce(http=server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
