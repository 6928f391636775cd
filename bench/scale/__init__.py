"""How cost grows: with routes, connections, the size of bodies, messages of a stream and workers.

Each part measures one of them and returns text and pictures; `bench` puts them below its own results. CPU time is the
least of the rounds: the points of a curve are measured one after another, and other work would bend it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.load import Generator
from bench.request import Result, median

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: durations in seconds, the number of rounds, and the sizes."""

    seconds: float
    rounds: int
    routes: Sequence[int] = (1, 100, 10_000)
    connections: Sequence[int] = (1, 10, 100, 1_000, 10_000)
    bodies: Sequence[int] = (100, 1_000, 10_000, 100_000, 1_000_000, 16 * 1024 * 1024)
    messages: int = 100_000
    workers: Sequence[int] = (1, 2)


FULL = Plan(seconds=2, rounds=3)
QUICK = Plan(seconds=1, rounds=1, messages=50_000)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how it is measured."""

    plan: Plan
    load: Generator
    core: int | None
    """The servers' core."""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the report, and the pictures in it by file name."""

    title: str
    lines: Sequence[str]
    pictures: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> Iterator[str]:
        """Yields the section as Markdown."""
        yield from ("", f"## {self.title}", "")
        for name in self.pictures:
            yield from (f"![{self.title}]({name})", "")
        yield from self.lines


def turns(rounds: int, runs: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
    """Returns the medians of each run and its least CPU time; the runs take turns in every round."""
    found: dict[str, list[Result]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return {name: median(results) for name, results in found.items()}
