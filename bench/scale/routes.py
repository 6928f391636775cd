"""The cost of a request among one route, a hundred and ten thousand, and what a start with so many takes."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from bench import chart, match
from bench.load import measure
from bench.markdown import table
from bench.process import Server, server
from bench.request import Request
from bench.scale import Part, Setting, turns
from bench.wide import path


def measured(given: Setting) -> Part:
    """Measures gateways of each number of routes in turn."""
    sizes = given.plan.routes
    running: dict[int, Server] = {}
    started: dict[int, float] = {}
    with contextlib.ExitStack() as stack:
        for routes in sizes:
            began = time.perf_counter()
            running[routes] = stack.enter_context(server(str(routes), "gateway", given.core, "--routes", str(routes)))
            started[routes] = time.perf_counter() - began
        idle = {routes: one.memory() for routes, one in running.items()}
        runs = {
            str(routes): partial(measure, given.load, one, Request("GET", path(routes // 2)), given.plan.seconds)
            for routes, one in running.items()
        }
        found = turns(given.plan.rounds, runs)
    alone = match.apart(sizes, given.core)
    names = {routes: f"{routes:,}" for routes in sizes}
    series = {
        "a request": {routes: found[str(routes)].cpu_least for routes in sizes},
        "a match alone": {routes: alone[routes] for routes in sizes},
    }
    picture = chart.lines("CPU time of a GET by the number of routes", "routes", "µs", names, series)
    rows = (
        [
            *(f"{routes:,}", f"{started[routes]:.2f}", f"{idle[routes]:.0f}", f"{alone[routes]:.2f}"),
            *(f"{found[str(routes)].cpu_least:.1f}", f"{found[str(routes)].rate:,.0f}"),
        ]
        for routes in sizes
    )
    head = ("routes", "start s", "MiB idle", "match alone µs", "CPU µs/request", "requests/s")
    return Part("Routes from one to ten thousand", list(table(head, rows)), {"scale-routes.svg": picture})
