"""The scenarios and their order: every server in turn, in several rounds, so that a busy moment affects all of them.

It starts the servers, checks that they answer alike, and returns medians; it prints nothing.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench import ROOT, match
from bench.envoy import envoy
from bench.load import Generator, measure, measure_grpc
from bench.process import Server, pin, server
from bench.request import GET, LIST, POST, TICKS, Request, Result, uploads
from bench.slow import Upload, first_byte, upload
from bench.wide import path

DIPTYCH, RAW, PYDANTIC, JSON_FORMAT = "Diptych", "raw ASGI", "FastAPI + Pydantic", "FastAPI + json_format"
ENVOY, GRPC_AIO = "Envoy → grpc.aio", "grpc.aio"
MODULES = {DIPTYCH: "gateway", RAW: "raw", PYDANTIC: "handwritten", JSON_FORMAT: "jsonformat"}
UNARY = {"GET one": GET, "POST nested": POST, f"GET list of {100}": LIST}
GRPC = {"get": "unary", "post": "nested", "list": "list of 100"}
RAW_UPLOAD, JSON_UPLOAD = "16 MiB raw", "16 MiB in JSON"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The duration and number of rounds; the result is the median of `rounds`."""

    seconds: float
    rounds: int
    streams: int
    uploads: int


FULL = Plan(seconds=2, rounds=9, streams=60, uploads=3)
QUICK = Plan(seconds=1, rounds=1, streams=20, uploads=1)


@dataclass
class Measured:
    """Everything that was measured, by scenario and server."""

    http: dict[str, dict[str, Result]] = field(default_factory=dict)
    grpc: dict[str, dict[str, Result]] = field(default_factory=dict)
    routes: dict[int, Result] = field(default_factory=dict)
    match: dict[int, float] = field(default_factory=dict)
    uploads: dict[str, dict[str, Upload]] = field(default_factory=dict)
    streams: dict[str, Result] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)


def run(plan: Plan, load: Generator, cores: tuple[int | None, int | None], say: Say) -> Measured:
    """Measures everything on this machine."""
    servers_core, own_core = cores
    pin(own_core)
    measured = Measured()
    with contextlib.ExitStack() as stack:
        say("starting the servers")
        every = [stack.enter_context(server(name, module, servers_core)) for name, module in MODULES.items()]
        every.append(stack.enter_context(envoy(ENVOY, servers_core)))
        plain = stack.enter_context(server(GRPC_AIO, "grpcaio", servers_core))
        _check(every)
        for name, request in UNARY.items():
            say(name)
            measured.http[name] = _rounds(every, plan, lambda one, r=request: measure(load, one, r, plan.seconds))  # type: ignore[misc]
        measured.peaks = {one.name: one.peak() for one in every}
        for method, name in GRPC.items():
            say(f"gRPC {name}")
            pair = [every[0], plain]
            measured.grpc[name] = _rounds(pair, plan, lambda one, m=method: measure_grpc(one, m, plan.seconds))  # type: ignore[misc]
        say("first byte of a stream")
        measured.streams = _rounds(every, plan, lambda one: first_byte(one, TICKS, plan.streams))
        for name, request in zip((RAW_UPLOAD, JSON_UPLOAD), uploads(), strict=True):
            say(name)
            measured.uploads[name] = {one.name: upload(one, request, plan.uploads) for one in every}
    with contextlib.ExitStack() as stack:
        say(f"{match.MANY:,} routes")
        sizes = {
            routes: stack.enter_context(server(str(routes), "gateway", servers_core, str(routes)))
            for routes in (match.FEW, match.MANY)
        }
        found = _rounds(list(sizes.values()), plan, lambda one: measure(load, one, _wide(one), plan.seconds))
        measured.routes = {routes: found[one.name] for routes, one in sizes.items()}
    measured.match = _match_alone(servers_core)
    return measured


def _wide(one: Server) -> Request:
    return Request("GET", path(int(one.name) // 2))


def _rounds(servers: list[Server], plan: Plan, once: Callable[[Server], Result]) -> dict[str, Result]:
    """Returns the median of each server's rounds; the servers take turns."""
    found: defaultdict[str, list[Result]] = defaultdict(list)
    for _ in range(plan.rounds):
        for one in servers:
            found[one.name].append(once(one))
    return {name: _median(results) for name, results in found.items()}


def _median(results: list[Result]) -> Result:
    columns: Iterator[tuple[float, ...]] = zip(*((r.rate, r.p50, r.p99, r.cpu) for r in results), strict=True)
    return Result(*map(statistics.median, columns))


def _match_alone(core: int | None) -> dict[int, float]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.match"], stdout=subprocess.PIPE, cwd=ROOT, preexec_fn=lambda: pin(core)
    )
    found = json.loads(process.communicate()[0])
    return {int(routes): value for routes, value in found.items()}


def _check(servers: list[Server]) -> None:
    """Raises RuntimeError unless every server gives the same answers: otherwise they would not do the same work."""
    for name, request in UNARY.items():
        answers = {one.name: _ask(one, request) for one in servers}
        for other, answer in answers.items():
            if answer != answers[DIPTYCH]:
                raise RuntimeError(f"{name}: {other} answers {answer!r}, Diptych {answers[DIPTYCH]!r}")


def _ask(one: Server, request: Request) -> object:
    headers = {"content-type": request.content_type} if request.body else {}
    asked = urllib.request.Request(
        f"http://127.0.0.1:{one.http}{request.path}", request.body or None, headers, method=request.verb
    )
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)
