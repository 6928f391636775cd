"""The cost of a GET with one connection up to ten thousand, all of them busy."""

from __future__ import annotations

from functools import partial

from bench import chart
from bench.load import for_connections, measure
from bench.markdown import table
from bench.peers import DIPTYCH, PYDANTIC, RAW, Started
from bench.process import more_files
from bench.request import GET, Result
from bench.scale import Part, Setting, turns

# Each connection must make several requests, or opening it would be most of what is measured.
_SECONDS_EACH = 1e-3


def measured(given: Setting) -> Part:
    """Measures the gateway, raw ASGI and hand-written FastAPI with each number of connections in turn."""
    counts, names = given.plan.connections, (DIPTYCH, RAW, PYDANTIC)
    more_files(2 * max(counts))
    found: dict[int, dict[str, Result]] = {}
    with Started(given.core) as started:
        started.start(names)
        for count in counts:
            seconds = max(given.plan.seconds, count * _SECONDS_EACH)
            load = for_connections(given.load, count)
            runs = {one.name: partial(measure, load, one, GET, seconds, count) for one in started.of(names)}
            found[count] = turns(given.plan.rounds, runs)
    series = {name: {count: found[count][name].cpu_least for count in counts} for name in names}
    marks = {count: f"{count:,}" for count in counts}
    picture = chart.lines("CPU time of a GET by the number of connections", "connections", "µs", marks, series)
    head = ("connections", *(f"{name}, CPU µs" for name in names), f"{DIPTYCH}, requests/s", "p50 ms", "p99 ms")
    rows = (
        [
            f"{count:,}",
            *(f"{found[count][name].cpu_least:.1f}" for name in names),
            f"{found[count][DIPTYCH].rate:,.0f}",
            f"{found[count][DIPTYCH].p50:.2f}",
            f"{found[count][DIPTYCH].p99:.2f}",
        ]
        for count in counts
    )
    lines = [
        *table(head, rows),
        "",
        "Rate and latencies are Diptych's. The CPU time includes the opening of the connections.",
    ]
    return Part("Connections from one to ten thousand", lines, {"scale-connections.svg": picture})
