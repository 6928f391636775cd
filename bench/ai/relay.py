"""`python -m bench.ai.relay`: chunks a second of a model's server through the gateway in OpenAI's form.

OpenAI's own client reads the same server directly in the same run. What reads the gateway's answers only counts, so
that it is not what is measured. `compare` is also a part of `python -m bench.ai`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

import openai

from bench import process
from bench.markdown import table
from bench.servers.listen import HOST

TARGET = 50_000  # chunks a second through the gateway
_TOKENS = 5000  # of a stream
_BODY = json.dumps({"stream": True, "messages": [{"role": "user", "content": "hello"}]})
_REQUEST = (
    f"POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n"
    f"content-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n{_BODY}"
).encode()

Read = Callable[[int], Awaitable[int]]
"""Reads one stream from a port, and returns its chunks with a text."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One way: chunks a second, and microseconds of the gateway's processor for a chunk, 0 without it."""

    name: str
    chunks: float
    cpu: float


async def _counted(port: int) -> int:
    """Reads a stream as bytes."""
    reader, writer = await asyncio.open_connection(HOST, port, limit=2**20)
    writer.write(_REQUEST)
    pieces = []
    while piece := await reader.read(2**20):
        pieces.append(piece)
    writer.close()
    answer = b"".join(pieces)
    if b"data: [DONE]" not in answer:
        raise RuntimeError(f"the answer is not complete: {answer[:500]!r}")
    return answer.count(b'"delta":{"content":')


async def _by_client(port: int) -> int:
    """Reads a stream by OpenAI's client."""
    async with openai.AsyncOpenAI(base_url=f"http://{HOST}:{port}/v1", api_key="none", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="relayed", stream=True, messages=[{"role": "user", "content": "hello"}]
        )
        return sum([1 async for chunk in stream if chunk.choices and chunk.choices[0].delta.content])


async def _rate(name: str, read: Read, port: int, rounds: int, at_once: int, gateway: process.Server | None) -> Rate:
    await read(port)
    rates, used, total = [], 0.0, 0
    for _ in range(rounds):
        before, began = gateway.cpu_seconds() if gateway else 0.0, time.perf_counter()
        counts = await asyncio.gather(*(read(port) for _ in range(at_once)))
        seconds = time.perf_counter() - began
        if set(counts) != {_TOKENS}:
            raise RuntimeError(f"{name}: expected {_TOKENS} chunks of each stream, got {sorted(set(counts))}")
        used += gateway.cpu_seconds() - before if gateway else 0.0
        total += sum(counts)
        rates.append(sum(counts) / seconds)
    return Rate(name, median(rates), used / total * 1e6)


async def _leaving(port: int, model: process.Server) -> float:
    """Returns the milliseconds from the moment a caller leaves until the model's server sees it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(_REQUEST)
    while b"token" not in await reader.readline():
        pass
    left = time.monotonic()
    writer.close()
    seen: float = json.loads(await asyncio.to_thread(process.first_line, model.processes[0]))["left"]
    return (seen - left) * 1000


async def leaving(rounds: int = 50) -> float:
    """Returns the median of those milliseconds."""
    gateway_core, other_core = process.cores()
    with (
        process.server("model", "model", other_core, "0") as model,
        process.server("gateway", "openai_gateway", gateway_core, str(model.http)) as gateway,
    ):
        return median([await _leaving(gateway.http, model) for _ in range(rounds)])


async def compare(rounds: int = 9) -> list[Rate]:
    """Returns the rates: the gateway's with one stream and with eight at once, and those of OpenAI's client."""
    gateway_core, other_core = process.cores()
    with (
        process.server("model", "model", other_core, str(_TOKENS)) as model,
        process.server("gateway", "openai_gateway", gateway_core, str(model.http)) as gateway,
    ):
        return [
            await _rate("the gateway, one stream", _counted, gateway.http, rounds, 1, gateway),
            await _rate("the gateway, 8 streams", _counted, gateway.http, max(1, rounds // 3), 8, gateway),
            await _rate("openai's client at the gateway", _by_client, gateway.http, rounds, 1, gateway),
            await _rate("openai's client, without the gateway", _by_client, model.http, rounds, 1, None),
        ]


def rows(rates: list[Rate]) -> list[list[str]]:
    """Returns the rows of a table of the rates."""
    return [[one.name, f"{one.chunks:,.0f}", f"{one.cpu:.1f}" if one.cpu else "-"] for one in rates]


def main() -> int:
    """Measures and prints; returns 1 if the target is missed."""
    rates = asyncio.run(compare())
    print("\n".join(table(("way", "chunks/s", "CPU of the gateway, µs a chunk"), rows(rates))))
    print(f"\nThe model's server sees a caller leave after {asyncio.run(leaving()):.1f} ms (median).")
    return 0 if rates[0].chunks >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
