"""`python -m bench.sdk`: what a call by one of the clients costs beside the library below it, in the same run.

It prints the results, and a full run writes bench/SDK_RESULTS.md. It exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench.markdown import section, table
from bench.sdk.programs import Server, Took, go, node, python, serving

RESULTS = Path(__file__).parents[1] / "SDK_RESULTS.md"
MOST = 1.25  # how much dearer a call of a client may be than one of the library below it
_MEMORY = 64.0  # MiB that an upload of a GiB may take beyond one of a MiB
_MIB = 1024 * 1024
HEAD = ("way", "CPU, µs", "ratio", "wall, µs", "ratio")


@dataclass(frozen=True, slots=True)
class Group:
    """A library, and what is built on it."""

    title: str
    bare: str
    ways: Sequence[str]
    commands: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    rounds: int = 5
    stream_rounds: int = 3
    calls: int = 3000
    messages: int = 100_000
    upload: int = 1024 * _MIB
    full: bool = True


_SMALL = Sizes(rounds=1, stream_rounds=1, calls=300, messages=5000, upload=64 * _MIB, full=False)


@dataclass(slots=True)
class Results:
    """What was measured; a target is its name, the value and the bound."""

    sections: list[str] = field(default_factory=list)
    targets: list[tuple[str, float, float]] = field(default_factory=list)

    def add(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]], text: str = "") -> None:
        """Adds a section, and prints it."""
        lines = [*section(title), *([text, ""] if text else []), *table(head, rows)]
        print("\n".join(lines), flush=True)
        self.sections += lines

    @property
    def missed(self) -> list[str]:
        """The names of missed targets."""
        return [name for name, value, bound in self.targets if value > bound]


def _groups() -> Iterator[Group]:
    for bare, ways in (
        ("httpx2", ("sdk-rest",)),
        ("grpcio", ("channel", "sdk-grpc")),
        ("httpx2-async", ("sdk-rest-async",)),
        ("grpcio-async", ("channel-async", "sdk-grpc-async")),
    ):
        yield Group(f"Python, {bare}", bare, ways, {way: python(way) for way in (bare, *ways)})
    if (program := go()) is not None:
        yield Group("Go, grpc-go", "grpc-go", ("sdk",), {way: (str(program), way) for way in ("grpc-go", "sdk")})
    if (script := node()) is not None:
        for bare in ("grpc-js", "connect", "grpc"):
            commands = {way: ("node", str(script), way) for way in (bare, f"sdk-{bare}")}
            name = "Connect's gRPC" if bare == "grpc" else bare
            yield Group(f"TypeScript, {name}", bare, (f"sdk-{bare}",), commands)


def _compared(server: Server, group: Group, work: str, count: int, rounds: int) -> dict[str, Took]:
    """Returns the least of each way, which other work on the machine disturbs least; the ways take turns."""
    taken: dict[str, list[Took]] = {way: [] for way in group.commands}
    for _ in range(rounds):
        for way, command in group.commands.items():
            taken[way].append(server.measure(command, work, count))
    return {
        way: Took(*(min(getattr(one, name) for one in all_) for name in ("seconds", "cpu", "peak")))
        for way, all_ in taken.items()
    }


def _compare(server: Server, groups: Sequence[Group], work: str, count: int, sizes: Sizes, results: Results) -> None:
    for group in groups:
        rounds = sizes.rounds if work == "unary" else sizes.stream_rounds
        found = _compared(server, group, work, count, rounds)
        bare = found[group.bare]
        rows = []
        for way, took in found.items():
            cpu, wall = took.cpu / bare.cpu, took.seconds / bare.seconds
            each = 1e6 / count
            rows.append([way, f"{took.cpu * each:.1f}", f"{cpu:.2f}", f"{took.seconds * each:.1f}", f"{wall:.2f}"])
            if way != group.bare and work == "unary":
                results.targets.append((f"{group.title}: {way}, CPU", cpu, MOST))
                results.targets.append((f"{group.title}: {way}, wall", wall, MOST))
        results.add(f"{group.title}: {'calls' if work == 'unary' else 'messages of a stream'}", HEAD, rows)


def _uploads(server: Server, sizes: Sizes, results: Results) -> None:
    rows = []
    for way in ("httpx2", "sdk-rest", "grpcio", "sdk-grpc"):
        small = server.measure(python(way), "upload", _MIB)
        large = server.measure(python(way), "upload", sizes.upload)
        rate = sizes.upload / _MIB / large.seconds
        rows.append([way, f"{large.seconds:.1f}", f"{rate:.0f}", f"{small.peak:.0f}", f"{large.peak:.0f}"])
        if way.startswith("sdk"):
            results.targets.append((f"{way}: peak memory beyond that of 1 MiB, MiB", large.peak - small.peak, _MEMORY))
    head = ("way", "seconds", "MiB/s", "peak MiB with 1 MiB", "peak MiB")
    results.add(f"Upload of {sizes.upload // _MIB} MiB", head, rows)


def _report(results: Results, seconds: float, load: float) -> Iterator[str]:
    names = ("httpx2", "grpcio", "protobuf", "pydantic")
    yield from (
        "# Clients: measured",
        "",
        f"`make bench-sdk` wrote this in {seconds:.0f} s: {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, load {load:.1f} at the start; "
        f"{', '.join(f'{one} {version(one)}' for one in names)}. Only figures of one run are compared.",
        "",
        "Each way is a process that makes one call after the other to the same gateway on this machine, which answers",
        "at once. CPU is the client's alone. The ways of a table take turns; the figures are the least of the rounds.",
        "Bare httpx2 parses JSON to a dict, bare gRPC makes a message; the Python SDK makes a model.",
    )
    yield from results.sections
    yield from section("Targets")
    rows = [
        [name, f"{value:,.2f}", f"≤ {bound:,.2f}", "NO" if name in results.missed else "yes"]
        for name, value, bound in results.targets
    ]
    yield from table(("target", "measured", "bound", "met"), rows)


def main() -> int:
    """Measures, prints and writes; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.sdk")
    parser.add_argument("--quick", action="store_true", help="small sizes; writes nothing")
    parser.add_argument("--only", default="", help="measure only the groups whose title contains this")
    given = parser.parse_args()
    sizes = _SMALL if given.quick else Sizes()
    began, load, results = time.perf_counter(), os.getloadavg()[0], Results()
    groups = [group for group in _groups() if given.only.lower() in group.title.lower()]
    with serving() as server:
        _compare(server, groups, "unary", sizes.calls, sizes, results)
        _compare(server, groups, "stream", sizes.messages, sizes, results)
        _uploads(server, sizes, results)
    report = "\n".join(_report(results, time.perf_counter() - began, load)) + "\n"
    print(report[report.index("## Targets") :])
    if sizes.full and not given.only:
        RESULTS.write_text(report)
    return 1 if results.missed and sizes.full else 0


if __name__ == "__main__":
    sys.exit(main())
