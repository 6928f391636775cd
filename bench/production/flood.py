"""A caller that exceeds its rate while others keep to theirs, and more concurrent calls than the process accepts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import NamedTuple

from bench import ROOT
from bench.production.calls import HOST
from bench.production.program import Program, serving
from bench.request import percentile
from diptych.auth import hash_key

SECONDS = 6.0
OTHERS, PACE = 5, 20  # callers, and the calls per second of each
RATE = 100  # calls per second that each may make
FLOODERS = 16
CAP, EACH, AT_ONCE = 64, 8, 400
P99_MS = 100.0
Row = list[str]
HEAD = [
    "what",
    "others' calls",
    "others served",
    "others' p50 ms",
    "p99 ms",
    "the flood: 200",
    "429",
    "503",
    "target",
    "held",
]
_NAMES = ("flood", *(f"other{number}" for number in range(OTHERS)))


def _key(name: str) -> str:
    return f"{name}-{'k' * 40}"


def _config(limits: str) -> str:
    keys = [f'[auth.api_keys.{name}]\nhash = "{hash_key(_key(name))}"\n' for name in _NAMES]
    return limits + "\n" + "\n".join(keys)


class Told(NamedTuple):
    """The answer to a call, and after how many seconds it came."""

    status: int
    seconds: float


class Client:
    """One kept connection of one caller."""

    def __init__(self, port: int, name: str) -> None:
        self._port, self._key = port, _key(name)
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, path: str, body: str = "") -> Told:
        """One call."""
        began = time.perf_counter()
        if self._open is None:
            self._open = await asyncio.open_connection(HOST, self._port)
        reader, writer = self._open
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {self._key}\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{head}\r\n{body}".encode())
        said = (await reader.readuntil(b"\r\n\r\n")).lower()
        self.body = await reader.readexactly(int(said.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if b"connection: close" in said:
            self.close()
        return Told(int(said[9:12]), time.perf_counter() - began)

    def close(self) -> None:
        """Closes the connection."""
        if self._open is not None:
            self._open[1].close()
            self._open = None


async def _measured(port: int, name: str, seconds: float) -> list[Told]:
    """Calls at the caller's own pace, whether or not they succeed."""
    client, told = Client(port, name), []
    began = time.perf_counter()
    for number in range(int(seconds * PACE)):
        await asyncio.sleep(max(0.0, began + number / PACE - time.perf_counter()))
        told.append(await client.call(f"/v1/dishes/{number}"))
    client.close()
    return told


async def _others(port: int) -> list[Told]:
    every = await asyncio.gather(*(_measured(port, name, SECONDS) for name in _NAMES[1:]))
    return [told for one in every for told in one]


def _row(what: str, others: list[Told], flood: Counter[int], target: str, held: bool) -> Row:
    times = [one.seconds * 1e3 for one in others]
    served = sum(one.status == 200 for one in others)
    took = [f"{percentile(times, 0.5):.2f}", f"{percentile(times, 0.99):.2f}"]
    held = held and served == len(others) and percentile(times, 0.99) <= P99_MS
    counts = [f"{flood[status]:,}" for status in (200, 429, 503)]
    return [what, f"{len(others):,}", f"{served:,}", *took, *counts, target, "yes" if held else "NO"]


async def rate() -> list[Row]:
    """A flood above its rate."""
    config = _config(f'[limits]\nrules = [{{ name = "callers", rate = "{RATE}/second" }}]\n')
    async with serving(config=config) as program:
        alone = await _others(program.http)
        began = time.perf_counter()
        async with _flooding(program.http, FLOODERS, slow=False) as flood:
            beside = await _others(program.http)
        most = RATE * (time.perf_counter() - began + 2)  # the measurement may overlap one more window at each end
    target = f"others all, p99 ≤ {P99_MS:g} ms"
    flooded = flood[200] <= most and flood[429] > 0 and not set(flood) - {200, 429}
    return [
        _row("nobody else", alone, Counter(), target, True),
        _row(f"a flood above {RATE}/s", beside, flood, f"{target}; its 200 ≤ {most:,.0f}", flooded),
    ]


async def at_once() -> list[Row]:
    """One caller with more concurrent calls than its limit, then many with more than the process's limit."""
    rules = f'[limits]\nmax_in_flight = {CAP}\nrules = [{{ name = "each", concurrent = {EACH} }}]\n'
    rows = []
    async with serving(config=_config(rules)) as program:
        beside, flood, _ = await _pressed(program, AT_ONCE // 4)
        held = flood[429] > 0 and not set(flood) - {200, 429, 503}
        target = f"others all, p99 ≤ {P99_MS:g} ms"
        rows.append(_row(f"{AT_ONCE // 4} at once of one that may have {EACH}", beside, flood, target, held))
    async with serving(config=_config(f"[limits]\nmax_in_flight = {CAP}\n")) as program:
        before = program.resident()
        _, flood, ready = await _pressed(program, AT_ONCE)
        client = Client(program.http, "other0")
        most = json.loads((await client.call("/v1/dishes/1"), client.body)[1])["priceCents"]
        client.close()
        grown = (program.resident() - before) / 2**20
        held = flood[503] > 0 and int(most) <= CAP and not set(flood) - {200, 503} and not set(ready) - {200}
        counts = [f"{flood[status]:,}" for status in (200, 429, 503)]
        told = f"never above {CAP} (it was {most}), /readyz always 200, {grown:.0f} MiB more"
        rows.append([f"{AT_ONCE} at once, of {CAP}", "", "", "", "", *counts, told, "yes" if held else "NO"])
    return rows


async def _pressed(program: Program, count: int) -> tuple[list[Told], Counter[int], Counter[int]]:
    """Makes slow calls on `count` connections without pause, along with the other callers and probes."""
    ready: Counter[int] = Counter()
    over = asyncio.Event()

    async def probe() -> None:
        client = Client(program.http, "other0")
        while not over.is_set():
            ready[(await client.call("/readyz")).status] += 1
            await asyncio.sleep(0.1)
        client.close()

    async with _flooding(program.http, count, slow=True) as flood:
        probing = asyncio.create_task(probe())
        others = await _others(program.http)
        over.set()
        await probing
    return others, flood, ready


@contextlib.asynccontextmanager
async def _flooding(port: int, connections: int, *, slow: bool) -> AsyncIterator[Counter[int]]:
    """Runs a flood in a separate process while the block runs; counts its answers afterwards."""
    command = [sys.executable, "-m", "bench.production.flood", str(port), str(connections), "slow" if slow else "quick"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
    assert process.stdout is not None
    counts: Counter[int] = Counter()
    try:
        await process.stdout.readline()
        yield counts
    finally:
        said, _ = await process.communicate(b"")  # closes its standard input, which ends it
    counts.update({int(status): count for status, count in json.loads(said).items()})


async def pour(port: int, connections: int, slow: bool) -> Counter[int]:
    """Calls as the flood's caller until standard input ends."""
    told: Counter[int] = Counter()
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, over.set)

    async def one(number: int) -> None:
        client = Client(port, "flood")
        while not over.is_set():
            call = client.call("/v1/wait", f'{{"key":"w{number}"}}') if slow else client.call("/v1/dishes/1")
            status = (await call).status
            told[status] += 1
            if slow and status != 200:
                await asyncio.sleep(0.1)
        client.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return told


if __name__ == "__main__":
    print("begun", flush=True)
    print(json.dumps(asyncio.run(pour(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "slow"))))
