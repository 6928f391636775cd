"""The time of a match alone, without a request: microseconds by the number of routes.

Run as a separate process on the servers' core: `python -m bench.match SIZE...` prints them as JSON. Every table matches
the same number of paths, spread over all its routes, so that no size has warmer caches than another.
"""

from __future__ import annotations

import json
import subprocess
import sys
import timeit
from collections.abc import Iterable

from bench import ROOT
from bench.process import pin
from bench.wide import path, template
from diptych.routes import Match, Route, RouteTable
from diptych.template import parse

FEW, MANY = 10, 10_000
_PATHS, _LOOPS, _REPEATS = 10, 300, 15


def table(routes: int) -> RouteTable[int]:
    """Returns a table with `routes` routes."""
    made = (Route(verb="GET", template=parse(template(number)), target=number) for number in range(routes))
    return RouteTable(made)


def apart(sizes: Iterable[int], core: int | None) -> dict[int, float]:
    """Returns the microseconds of a match among each number of routes, measured by a process on `core`."""
    command = [sys.executable, "-m", "bench.match", *map(str, sizes)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, preexec_fn=lambda: pin(core))
    return {int(routes): value for routes, value in json.loads(done.stdout).items()}


def main(sizes: Iterable[int]) -> None:
    best = dict.fromkeys(sizes, float("inf"))
    tables = {routes: table(routes) for routes in best}
    # Ten paths, the same one several times if there are fewer routes.
    asked = {routes: [path(at * routes // _PATHS) for at in range(_PATHS)] for routes in best}
    for routes, paths in asked.items():
        assert all(isinstance(tables[routes].match("GET", one), Match) for one in paths)
    for _ in range(_REPEATS):
        for routes, paths in asked.items():
            match = tables[routes].match
            took = timeit.timeit(lambda: [match("GET", one) for one in paths], number=_LOOPS)  # noqa: B023
            best[routes] = min(best[routes], took / _LOOPS / len(paths) * 1e6)
    print(json.dumps({str(routes): value for routes, value in best.items()}))


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or (FEW, MANY))
