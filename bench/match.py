"""The time of a match alone, without a request: microseconds among few routes and among many.

Run as a separate process on the servers' core: `python -m bench.match` prints them as JSON. Every table matches the
same number of different paths, spread over all its routes, so that no size has warmer caches than another.
"""

from __future__ import annotations

import json
import sys
import timeit

from bench.wide import path, template
from diptych.routes import Match, Route, RouteTable
from diptych.template import parse

FEW, MANY = 10, 10_000
_LOOPS, _REPEATS = 300, 15


def table(routes: int) -> RouteTable[int]:
    """Returns a table with `routes` routes."""
    made = (Route(verb="GET", template=parse(template(number)), target=number) for number in range(routes))
    return RouteTable(made)


def main(repeats: int) -> None:
    best = dict.fromkeys((FEW, MANY), float("inf"))
    tables = {routes: table(routes) for routes in best}
    asked = {routes: [path(number) for number in range(routes - 1, -1, -routes // FEW)] for routes in best}
    for routes, paths in asked.items():
        assert all(isinstance(tables[routes].match("GET", one), Match) for one in paths)
    for _ in range(repeats):
        for routes, paths in asked.items():
            match = tables[routes].match
            took = timeit.timeit(lambda: [match("GET", one) for one in paths], number=_LOOPS)  # noqa: B023
            best[routes] = min(best[routes], took / _LOOPS / len(paths) * 1e6)
    print(json.dumps({str(routes): value for routes, value in best.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _REPEATS)
