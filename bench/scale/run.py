"""The parts of `bench.scale` in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from bench import workers as crowd
from bench.load import Generator
from bench.process import pin, unpin
from bench.scale import Part, Plan, Say, Setting, bodies, connections, routes, streams


def _workers(given: Setting) -> Part:
    unpin()
    lines = list(crowd.lines(given.plan.workers, given.plan.seconds, given.plan.rounds))
    note = "The load generator shares the cores with the workers: the second adds less than on a dedicated machine."
    return Part("One worker and two", [*lines, "", note])


PARTS: Mapping[str, Callable[[Setting], Part]] = {
    "routes": routes.measured,
    "connections": connections.measured,
    "bodies": bodies.measured,
    "streams": streams.measured,
    "workers": _workers,
}


def parts(
    plan: Plan, load: Generator, cores: tuple[int | None, int | None], say: Say, only: Iterable[str] = PARTS
) -> Iterator[Part]:
    """Measures each part and yields it; one that fails says so in its place, so that the others are not lost."""
    for name in only:
        say(f"scale: {name}")
        pin(cores[1])
        try:
            yield PARTS[name](Setting(plan, load, cores[0]))
        except RuntimeError as wrong:
            yield Part(f"Not measured: {name}", ["```", str(wrong), "```"])
