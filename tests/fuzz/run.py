"""A run: which kind of input is sent to which server, in turns, with a check of the server after each."""

from __future__ import annotations

import asyncio
import re
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx2

from .floods import ROUND, Floods
from .frames import Frames
from .judge import Input, Judge
from .kinds import Kind, Raw, Rest, Rpc
from .server import Held, Server, serving
from .sockets import Sockets
from .web import Web

SHARES = {
    "rest": 0.3, "http1": 0.08, "web": 0.17, "websocket": 0.08, "grpc": 0.1, "grpc-h2": 0.02,
    "rest-single": 0.02, "grpc-single": 0.07, "h2": 0.157, "floods": 0.003,
}  # fmt: skip
"""Shares of all inputs. `grpc` and `grpc-h2` go to grpcio's port; `-single`, `h2` and `floods` to the single port."""

_WIDTH = 24
_TURNS = 10
_WARM = 0.08
"""The share of inputs before the first check: by then everything that is created once exists."""
MEMORY_SLACK, OBJECTS_SLACK, DESCRIPTORS_SLACK = 24 << 20, 3000, 4
"""How much more a server may hold than before: fragmented memory, caches, and the descriptors of polling threads."""


@dataclass(kw_only=True)
class Place:
    """A server, its inputs, and what it held while idle: after the start, warmed up, and at the end."""

    name: str
    server: Server
    kinds: dict[str, Kind]
    fresh: Held | None = None
    before: Held | None = None
    after: Held | None = None


@dataclass
class Report:
    """The results of a run."""

    seed: int
    judge: Judge = field(default_factory=Judge)
    places: list[Place] = field(default_factory=list)
    thrown: dict[str, int] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds, by kind."""
    seconds: float = 0.0
    frames: int = 0
    """Floods, in addition to the inputs."""


async def run(
    inputs: int, seed: int, folder: Path, only: str | None, examples: int, say: Callable[[str], None]
) -> Report:
    """Sends the inputs, and `examples` of schemathesis per operation. The report has the faults."""
    report = Report(seed)
    began = time.monotonic()
    shares = {name: share for name, share in SHARES.items() if only in (None, name)}
    counts = {name: max(1, round(inputs * share / sum(shares.values()))) for name, share in shares.items()}
    async with _places(report.judge, folder) as report.places:
        for place in report.places:
            place.fresh = await _at_rest(place)
        warm = {name: max(1, round(count * _WARM)) for name, count in counts.items()}
        if "floods" in counts:  # the allocator keeps a part of the memory that many clients needed once
            warm["floods"] = min(counts["floods"], 6 * ROUND)
        await _phase(report, warm, seed + 1)
        for place in report.places:
            place.before = await _at_rest(place)
        async with asyncio.TaskGroup() as group:
            group.create_task(_schemathesis(report, folder, examples if only is None else 0))
            for turn in range(_TURNS):
                now = {name: count * (turn + 1) // _TURNS - count * turn // _TURNS for name, count in counts.items()}
                await _phase(report, now, seed, report.thrown)
                held = ", ".join(f"{place.name} {place.server.memory / 2**20:.0f} MiB" for place in report.places)
                say(f"{sum(report.thrown.values())} inputs, {len(report.judge.faults)} faults; {held}")
        for place in report.places:
            await _look_again(report.judge, place)
        report.frames = sum(
            one.frames for place in report.places for one in place.kinds.values() if isinstance(one, Floods)
        )
    report.seconds = time.monotonic() - began
    return report


async def repeat(kind: str, number: int, seed: int, folder: Path) -> Report:
    """Sends one input of a run again."""
    report = Report(seed)
    async with _places(report.judge, folder) as places:
        for place in places:
            if kind in place.kinds:
                await place.kinds[kind].throw(_dice(seed, kind, number), number)
            place.server.listen(report.judge)
            await place.server.answers()
    return report


@asynccontextmanager
async def _places(judge: Judge, folder: Path) -> AsyncIterator[list[Place]]:
    async with AsyncExitStack() as stack:
        two = await stack.enter_async_context(serving(folder / "two-ports.log", "--set", "grpc_engine=grpcio"))
        single = await stack.enter_async_context(serving(folder / "single-port.log", "--single-port"))
        document = httpx2.get(f"http://127.0.0.1:{two.http_port}/openapi.json", timeout=30).json()
        http, port = two.http_port, single.http_port
        places = [
            Place(
                name="two ports",
                server=two,
                kinds={
                    "rest": Rest(http, judge, document),
                    "http1": Raw(http, judge, document),
                    "web": Web(http, judge),
                    "websocket": Sockets(http, judge),
                    "grpc": Rpc("grpc", two.grpc_port, judge),
                    "grpc-h2": Frames("grpc-h2", two.grpc_port, judge),
                },
            ),
            Place(
                name="single port",
                server=single,
                kinds={
                    "rest-single": Rest(port, judge, document),
                    "grpc-single": Rpc("grpc-single", port, judge),
                    "h2": Frames("h2", port, judge),
                    "floods": Floods("floods", port, judge),
                },
            ),
        ]
        places[0].kinds["grpc-h2"].ours = False  # type: ignore[attr-defined]
        for name, kind in places[1].kinds.items():
            kind.name = name
        try:
            yield places
        finally:
            for place in places:
                for one in place.kinds.values():
                    await one.close()


async def _phase(report: Report, counts: dict[str, int], seed: int, thrown: dict[str, int] | None = None) -> None:
    """Sends inputs of each kind in turn, then checks that the servers still serve."""
    await asyncio.gather(*(_phase_at(report, place, counts, seed, thrown) for place in report.places))


async def _phase_at(
    report: Report, place: Place, counts: dict[str, int], seed: int, thrown: dict[str, int] | None
) -> None:
    for name, kind in place.kinds.items():
        if name in counts:
            first = 0 if thrown is None else thrown.get(name, 0)
            began = time.monotonic()
            await _throw(report.judge, kind, range(first, first + counts[name]), seed)
            if thrown is not None:
                thrown[name] = first + counts[name]
                report.spent[name] = report.spent.get(name, 0.0) + time.monotonic() - began
        place.server.listen(report.judge)
    if not place.server.alive:
        raise RuntimeError(f"the server of {place.name} is dead")
    await place.server.answers()


async def _throw(judge: Judge, kind: Kind, numbers: range, seed: int) -> None:
    waiting = iter(numbers)

    async def thrower() -> None:
        for number in waiting:
            try:
                await kind.throw(_dice(seed, kind.name, number), number)
            except Exception:  # an unexpected form of answer, or a server that accepts no connection
                what = f"the fuzzer broke at it:\n{traceback.format_exc()}"
                judge.fault(Input(kind.name, number, b"?"), what)

    await asyncio.gather(*(thrower() for _ in range(min(_WIDTH, len(numbers)))))


def _dice(seed: int, kind: str, number: int) -> Random:
    """Returns the dice of one input, independent of earlier inputs."""
    return Random(f"{seed}/{kind}/{number}")


async def _at_rest(place: Place, *most: int) -> Held:
    """Returns what the server holds without clients; `most` bounds its tasks and descriptors."""
    for kind in place.kinds.values():
        await kind.close()
    return await place.server.held(*most)


async def _look_again(judge: Judge, place: Place) -> None:
    before, server = place.before, place.server
    assert before is not None
    after = place.after = await _at_rest(place, before.told["tasks"], before.descriptors + DESCRIPTORS_SLACK)
    server.listen(judge)
    if after.told["tasks"] > before.told["tasks"]:
        judge.fault(None, f"{place.name}: tasks are left: {after.told['task_kinds']}")
    if after.descriptors > before.descriptors + DESCRIPTORS_SLACK:
        judge.fault(None, f"{place.name}: {before.descriptors} descriptors became {after.descriptors}")
    if after.told["objects"] > before.told["objects"] + OBJECTS_SLACK:
        judge.fault(None, f"{place.name}: objects are left: {_grown(before, after)}")
    if after.memory > before.memory + MEMORY_SLACK:
        judge.fault(None, f"{place.name}: memory is not given back: {before} became {after}")


def _grown(before: Held, after: Held) -> str:
    kinds = {name: count - before.told["kinds"].get(name, 0) for name, count in after.told["kinds"].items()}
    return ", ".join(f"{name} {more:+d}" for name, more in sorted(kinds.items(), key=lambda one: -one[1])[:12])


_CASES = re.compile(r"(\d+) generated")


async def _schemathesis(report: Report, folder: Path, examples: int) -> None:
    """Runs the third-party fuzzer with the tests' configuration, concurrently with the inputs."""
    if not examples:
        return
    config = Path(__file__).parents[1] / "e2e" / "schemathesis.toml"
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config)]
    options = ["run", "--max-examples", str(examples), "--seed", str(report.seed)]
    # A schema cannot say which members of a oneof exclude one another, or which types an Any may hold.
    options.append("--exclude-checks=positive_data_acceptance")
    server, began = report.places[0].server, time.monotonic()
    url = f"http://127.0.0.1:{server.http_port}/openapi.json"
    process = await asyncio.create_subprocess_exec(
        *command, *options, url, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        printed = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = _CASES.search(printed)
    report.spent["schemathesis"] = time.monotonic() - began
    report.thrown["schemathesis"] = int(found[1]) if found else 0
    if process.returncode:
        report.judge.fault(None, f"schemathesis complains:\n{printed[-6000:]}")
    server.listen(report.judge)
