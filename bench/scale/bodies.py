"""The cost of an upload by the size of its body, raw and as base64 in JSON."""

from __future__ import annotations

from functools import partial

from bench import chart
from bench.load import measure
from bench.markdown import table
from bench.peers import DIPTYCH, PYDANTIC, RAW, Started
from bench.request import Result, uploads
from bench.scale import Part, Setting, turns

_CONNECTIONS = 4
_MIB = 1024 * 1024


def measured(given: Setting) -> Part:
    """Measures the gateway, hand-written FastAPI and raw ASGI with each size in turn."""
    sizes, names = given.plan.bodies, (DIPTYCH, PYDANTIC, RAW)
    found: dict[int, dict[str, Result]] = {}
    with Started(given.core) as started:
        started.start(names)
        for size in sizes:
            raw, json = uploads(size)
            wanted = [(one, raw, "raw") for one in started.of(names)]
            wanted += [(one, json, "JSON") for one in started.of((DIPTYCH, PYDANTIC))]
            runs = {
                f"{one.name}, {what}": partial(measure, given.load, one, request, given.plan.seconds, _CONNECTIONS)
                for one, request, what in wanted
            }
            found[size] = turns(given.plan.rounds, runs)
    every = list(found[sizes[0]])
    series = {name: {size: found[size][name].cpu_least for size in sizes} for name in every}
    marks = {size: _size(size) for size in sizes}
    picture = chart.lines("CPU time of an upload by its size", "body", "µs", marks, series)
    rows = ([_size(size), *(f"{found[size][name].cpu_least:,.0f}" for name in every)] for size in sizes)
    lines = list(table(("CPU µs an upload", *every), rows))
    return Part("Bodies from 100 bytes to 16 MiB", lines, {"scale-bodies.svg": picture})


def _size(size: int) -> str:
    if size >= _MIB and size % _MIB == 0:
        return f"{size // _MIB} MiB"
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1_000} kB" if size >= 1_000 else f"{size} B"
